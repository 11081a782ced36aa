from __future__ import annotations

import asyncio
import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from ksqlkit.imports import import_xgboost
from udf_server.errors import SignatureError
from udf_server.function import function
from udf_server.http.app import App
from udf_server.http.message import ARROW, Request, Response
from udf_server.models.store import ModelStore
from udf_server.service import Service

SCORE = "/v1/functions/FRAUD_SCORE:batch"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    xgboost = import_xgboost()
    chance = np.random.default_rng(1)
    matrix = chance.normal(size=(300, 3))
    booster = xgboost.train(
        {"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(matrix, matrix[:, 0] > 0), 5
    )
    root = tmp_path_factory.mktemp("models")
    for trees, name in enumerate(("two", "threat", "failure", "fraud"), 2):
        content = bytes(booster[:trees].save_raw("ubj"))
        ModelStore(root).publish(name, content, kind="xgboost", file="m.ubj", features=["A", "B", "C"])
    return root


def ask(models: Path, act: Callable[[App], Any]) -> Any:
    async def main() -> Any:
        service = Service(models)
        try:
            return await act(App(service))
        finally:
            await service.drain(3.0)

    return asyncio.run(main())


def score(models: Path, rows: list[list[Any]], function: str = "FRAUD_SCORE", **headers: str) -> Any:
    body = orjson.dumps({"data": [[i, *row] for i, row in enumerate(rows)]})
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    path = f"/v1/functions/{function}:batch"
    response: Response = ask(models, lambda app: app.handle(Request("POST", path, named, body)))
    return response.status, orjson.loads(response.body)


BAD: list[list[Any]] = [
    ["x", 1.0, 1.0],
    [True, 1.0, 1.0],
    [1.0, [1], 1.0],
    [10**400, 1.0, 1.0],
    [1.0, 2.0],
    [1.0, 2.0, 3.0, 4.0],
    ["y" * 1_000_000, 1.0, 1.0],
]


@pytest.mark.parametrize("bad", BAD, ids=["text", "boolean", "list", "huge", "short", "long", "megabyte"])
def test_a_bad_row_among_good_ones_fails_alone_and_shortly(models: Path, bad: list[Any]) -> None:
    good = [0.5, None, -1.0]
    if bad[0] == 10**400:  # orjson writes no such number, a client may
        text = b'{"data": [[0, 0.5, null, -1.0], [1, 1' + b"0" * 400 + b", 1.0, 1.0], [2, 0.5, null, -1.0]]}"
        response = ask(models, lambda app: app.handle(Request("POST", SCORE, {}, text)))
        assert response.status in (200, 400)
        return
    status, answer = score(models, [good, bad, good])
    _, alone = score(models, [good])
    assert status == 200
    value = alone["data"][0][1]
    assert answer["data"] == [[0, value], [1, None], [2, value]]
    [(row, code, message)] = answer["errors"]
    assert (row, code) == (1, "INVALID_INPUT")
    assert len(message) < 300


NUMBERS: list[list[Any]] = [[0.5, -2, 1e-300], [None, 3.25, 7], [1, 0, -0.0]]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("FRAUD_SCORE", []),
        ("FAILURE_RISK", []),
        ("THREAT_SCORE", []),
        ("PREDICT", ["fraud"]),
        ("PREDICT_PROBA", ["failure"]),
        ("PREDICT_LABEL", ["two@1"]),
        ("EXPLAIN", ["two"]),
    ],
)
def test_numbers_give_the_same_scores_in_every_form(models: Path, function: str, words: list[str]) -> None:
    pa = pytest.importorskip("pyarrow", reason="Arrow on the wire needs pyarrow")
    rows = [[*words, *row] for row in NUMBERS]
    _, together = score(models, rows, function)
    single = [score(models, [row], function)[1]["data"][0][1] for row in rows]
    _, beside_text = score(models, [*rows, [*words, "x", 1, 1]], function)
    columns = {f"W{i}": pa.array([word] * 3) for i, word in enumerate(words)}
    columns |= {n: pa.array([r[i] for r in NUMBERS], pa.float64()) for i, n in enumerate("ABC")}
    sink = io.BytesIO()
    table = pa.table(columns)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    request = Request("POST", f"/v1/functions/{function}:batch", {"content-type": ARROW}, sink.getvalue())
    response = ask(models, lambda app: app.handle(request))
    arrow = pa.ipc.open_stream(response.body).read_all().column("value").to_pylist(maps_as_pydicts="strict")
    _, detailed = score(models, rows, f"{function}_DETAIL")
    structs = [[*words, dict(zip("abc", row, strict=True))] for row in NUMBERS]
    assert None not in single
    assert [v for _, v in together["data"]] == single == arrow
    assert [v for _, v in beside_text["data"]] == [*single, None]
    assert [v["VALUE"] for _, v in detailed["data"]] == single
    assert [v for _, v in score(models, structs, function)[1]["data"]] == single


def test_rows_of_several_models_keep_theirs(models: Path) -> None:
    names = ["fraud", "two", "failure", "two", "nope", "fraud"]
    rows = [[name, 0.5, -2.0, 1.0] for name in names]
    _, answer = score(models, rows, "PREDICT")
    alone = {name: score(models, [[name, 0.5, -2.0, 1.0]], "PREDICT")[1]["data"][0][1] for name in names}
    assert [v for _, v in answer["data"]] == [alone[name] for name in names]
    assert len({v for v in alone.values() if v is not None}) == 3
    assert [(row, code) for row, code, _ in answer["errors"]] == [(4, "INVALID_INPUT")]


def test_a_quick_form_is_for_numbers_after_texts() -> None:
    with pytest.raises(SignatureError, match="a matrix stands for DOUBLEs"):
        function("F(labels ARRAY<VARCHAR>) -> DOUBLE")(len).matrix(len)


def test_nan_and_infinities_by_arrow_are_missing_or_an_error_of_their_row(models: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="Arrow on the wire needs pyarrow")
    table = pa.table({n: [0.5, math.nan, math.inf, -math.inf] for n in "ABC"})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    request = Request("POST", SCORE, {"content-type": ARROW}, sink.getvalue())
    response = ask(models, lambda app: app.handle(request))
    found = pa.ipc.open_stream(response.body).read_all().to_pylist()
    assert len(found) == 4
    assert all((r["value"] is None) != (r["error"] is None) for r in found)
    assert all(0 <= r["value"] <= 1 for r in found[:2])


def test_calls_that_are_refused_as_a_whole(models: Path) -> None:
    rows = [[i, 1.0, 1.0, 1.0] for i in range(100_000)]
    cases = [
        (SCORE, orjson.dumps({"data": rows}), 413, "TOO_MANY_ROWS"),
        (SCORE.replace(":", "@9:"), b'{"data": []}', 404, "UNKNOWN_VERSION"),
        ("/v1/functions/NOPE:batch", b'{"data": []}', 404, "UNKNOWN_FUNCTION"),
        (SCORE, b'{"data": [[1, 1.0, 1.0, 1.0]]}', 400, "MALFORMED"),
        (SCORE, b'{"data": [[0, 1.0, 1.0, 1.0], [0, 1.0, 1.0, 1.0]]}', 400, "MALFORMED"),
        (SCORE, b'{"data": [[true, 1.0, 1.0, 1.0]]}', 400, "MALFORMED"),
        (SCORE, b'{"data": [[0, NaN, 1.0, 1.0]]}', 400, "MALFORMED"),
        (SCORE, b'{"data": [0]}', 400, "MALFORMED"),
    ]
    for path, body, status, code in cases:
        request = Request("POST", path, {}, body)
        response = ask(models, lambda app: app.handle(request))  # noqa: B023
        answer = orjson.loads(response.body)
        assert (response.status, answer["code"]) == (status, code), body[:60]
        assert ("in several calls" in answer["message"]) == (code == "TOO_MANY_ROWS")


def test_an_expired_deadline_scores_nothing(models: Path) -> None:
    status, answer = score(models, [[1.0, 1.0, 1.0]] * 3, x_deadline_ms="0")
    assert status == 200
    assert answer["data"] == [[i, None] for i in range(3)]
    assert {code for _, code, _ in answer["errors"]} == {"TIMEOUT"}


def test_empty_calls_are_answered(models: Path) -> None:
    assert score(models, [])[1]["data"] == []
