from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from udf_server.http.app import App
from udf_server.http.auth import Tokens
from udf_server.http.message import ARROW, MAX_BODY, Request, Response
from udf_server.models.store import ModelStore
from udf_server.service import Service

FUNCTIONS = """
from udf_server import function
import threading, time

calls = []

@function("PLUS(a DOUBLE, b DOUBLE) -> DOUBLE")
def plus(a, b):
    calls.append(len(a))
    return [x + y for x, y in zip(a, b)]

@function("COUNTED(x DOUBLE) -> BIGINT", deterministic=False)
def counted(xs):
    calls.append(len(xs))
    return [sum(calls)] * len(xs)

@function("SLEEP(s DOUBLE) -> DOUBLE", batch_limit=10)
def sleep(xs):
    time.sleep(xs[0])
    return xs
"""

Send = Callable[..., Any]


def run(tmp_path: Path, act: Callable[[Send], Any], tokens: Tokens | None = None, **options: Any) -> Any:
    """Call `act(send)` with an app over FUNCTIONS; `send(method, path, body, **headers)` awaits a response."""
    (tmp_path / "f.py").write_text(FUNCTIONS)

    async def main() -> Any:
        service = Service(tmp_path / "models", tmp_path, **options)
        app = App(service, tokens)

        async def send(method: str, path: str, body: Any = b"", **headers: str) -> Response:
            content = body if isinstance(body, bytes) else orjson.dumps(body)
            named = {k.replace("_", "-"): v for k, v in headers.items()}
            return await app.handle(Request(method, path, named, content))

        try:
            return await act(send)
        finally:
            await service.drain(3.0)

    return asyncio.run(main())


PLUS = "/v1/functions/PLUS:batch"
FORM = "application/x-www-form-urlencoded"


def test_the_shape_of_an_answer(tmp_path: Path) -> None:
    async def act(send: Send) -> Response:
        return await send(
            "POST", PLUS, {"data": [[0, 1, 2.5], [1, None, 1], [2, "x", 1]]}, traceparent="00-a-b-01"
        )

    response = run(tmp_path, act)
    assert response.status == 200
    assert ("traceparent", "00-a-b-01") in response.headers
    assert orjson.loads(response.body) == {
        "data": [[0, 3.5], [1, None], [2, None]],
        "errors": [[2, "INVALID_INPUT", "argument 1: 'x' is no DOUBLE"]],
        "model": None,
        "version": 1,
    }


REFUSED = [
    ("POST", PLUS, b"{", {}, 400),
    ("POST", PLUS, [], {}, 400),
    ("POST", PLUS, {"data": [[1, 1, 2]]}, {}, 400),
    ("POST", PLUS, {"data": [[]]}, {}, 400),
    ("POST", PLUS, {"data": []}, {"x_deadline_ms": "soon"}, 400),
    ("POST", PLUS, {"data": []}, {"x_deadline_ms": "nan"}, 400),
    ("POST", PLUS, b"\xff", {"content_type": ARROW}, 400),
    ("POST", "/v1/batch", {"function": "PLUS"}, {}, 400),
    ("POST", "/v1/functions/NOPE:batch", {"data": []}, {}, 404),
    ("POST", "/v1/functions/PLUS@2:batch", {"data": []}, {}, 404),
    ("POST", "/v1/functions/PLUS@latest:batch", {"data": []}, {}, 404),
    ("GET", "/nothing", b"", {}, 404),
    ("GET", PLUS, b"", {}, 405),
    ("POST", "/v1/batch", [], {"content_type": ARROW}, 415),
    ("POST", PLUS, {"data": []}, {"content_type": FORM, "origin": "https://elsewhere.example"}, 415),
    ("POST", PLUS, b"a=1&b=2", {"content_type": FORM}, 400),
    ("POST", "/v1/models/nope/outcomes", {"data": [[0.5, 1]]}, {}, 404),
    ("POST", PLUS, {"data": [[i, 1, 1] for i in range(10_001)]}, {}, 413),
    ("POST", PLUS, b" " * (MAX_BODY + 1), {}, 413),
    ("POST", PLUS, b"a,b", {"content_type": "text/csv"}, 415),
]


@pytest.mark.parametrize(("method", "path", "body", "headers", "status"), REFUSED)
def test_refusals(
    tmp_path: Path, method: str, path: str, body: Any, headers: dict[str, str], status: int
) -> None:
    async def act(send: Send) -> Response:
        return await send(method, path, body, **headers)

    response = run(tmp_path, act)
    assert response.status == status
    assert set(orjson.loads(response.body)) == {"code", "message"}


def test_json_that_curl_calls_a_form_is_taken(tmp_path: Path) -> None:
    async def act(send: Send) -> Any:
        return [
            orjson.loads((await send("POST", path, body, content_type=FORM)).body)
            for path, body in (
                (PLUS, {"data": [[0, 1, 2]]}),
                ("/v1/batch", [{"function": "PLUS", "data": [[0, 3, 4]]}]),
            )
        ]

    one, [several] = run(tmp_path, act)
    assert one["data"] == [[0, 3.0]]
    assert several["data"] == [[0, 7.0]]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", PLUS, "POST"),
        ("DELETE", "/v1/functions", "GET, HEAD"),
        ("POST", "/livez", "GET, HEAD"),
        ("GET", "/v1/batch", "POST"),
        ("PUT", "/v1/models/fraud/outcomes", "POST"),
        ("POST", "/v1/models/fraud/versions/live/portable", "GET, HEAD"),
    ],
)
def test_another_method_is_told_which_there_are(tmp_path: Path, method: str, path: str, allow: str) -> None:
    async def act(send: Send) -> Response:
        return await send(method, path)

    response = run(tmp_path, act)
    assert response.status == 405
    assert dict(response.headers)["allow"] == allow


def test_head_is_answered_as_get(tmp_path: Path) -> None:
    async def act(send: Send) -> list[Response]:
        return [await send(method, "/v1/functions") for method in ("GET", "HEAD")]

    got, head = run(tmp_path, act)
    assert (head.status, head.body) == (200, got.body)  # which the connection leaves out


def test_outcomes_are_taken_of_models_that_the_token_s_functions_answer_with(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    for name in ("fraud", "churn"):
        store.publish(name, b"x", kind="linear", file="model.npz", features=["A"])
    (tmp_path / "tokens").write_text("all\nplus PLUS\nfraud FRAUD_SCORE\nany PREDICT\n")
    tokens = Tokens.read(tmp_path / "tokens")
    data = {"data": [[0.5, 1]]}

    async def act(send: Send) -> dict[tuple[str, str], int]:
        return {
            (token, name): (
                await send("POST", f"/v1/models/{name}/outcomes", data, authorization=f"Bearer {token}")
            ).status
            for token in ("all", "plus", "fraud", "any")
            for name in ("fraud", "churn", "nope")
        }

    assert run(tmp_path, act, tokens) == {
        ("all", "fraud"): 200, ("all", "churn"): 200, ("all", "nope"): 404,
        ("plus", "fraud"): 403, ("plus", "churn"): 403, ("plus", "nope"): 403,
        ("fraud", "fraud"): 200, ("fraud", "churn"): 403, ("fraud", "nope"): 403,
        ("any", "fraud"): 200, ("any", "churn"): 200, ("any", "nope"): 404,
    }  # fmt: skip


def test_outcomes_of_what_there_is_not_say_so(tmp_path: Path) -> None:
    ModelStore(tmp_path / "models").publish("fraud", b"x", kind="linear", file="model.npz", features=["A"])

    async def act(send: Send) -> list[Any]:
        calls = [
            ("nope", {}),
            ("fraud", {"version": 7}),
            ("fraud", {"version": "1"}),
            ("fraud", {"version": True}),
        ]
        return [
            orjson.loads((await send("POST", f"/v1/models/{n}/outcomes", {"data": [[0.5, 1]], **more})).body)
            for n, more in calls
        ]

    unknown, *versions = run(tmp_path, act)
    assert unknown == {"code": "UNKNOWN_MODEL", "message": "there is no model nope"}
    assert [v["message"] for v in versions] == [
        f"there is no model fraud version {text}" for text in ("7", "'1'", "True")
    ]


def test_tokens_and_the_functions_they_may_call(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("# who\nall-of-it\nonly-plus PLUS\n")
    tokens = Tokens.read(tmp_path / "tokens")

    async def act(send: Send) -> list[int]:
        sleep = "/v1/functions/SLEEP:batch"
        calls = [
            (PLUS, None),
            (PLUS, "wrong"),
            (PLUS, "only-plus"),
            (sleep, "only-plus"),
            (sleep, "all-of-it"),
        ]
        out = []
        for path, token in calls:
            given = {"authorization": f"Bearer {token}"} if token else {}
            out.append((await send("POST", path, {"data": []}, **given)).status)
        many = await send(
            "POST",
            "/v1/batch",
            [{"function": "PLUS", "data": [[0, 1, 1]]}, {"function": "SLEEP", "data": []}],
            authorization="bearer only-plus",
        )
        first, second = orjson.loads(many.body)
        assert first["data"] == [[0, 2.0]]
        assert second["status"] == 403
        out.append((await send("GET", "/livez")).status)
        return out

    assert run(tmp_path, act, tokens) == [401, 401, 200, 403, 200, 200]


def test_several_calls_in_one(tmp_path: Path) -> None:
    async def act(send: Send) -> list[Any]:
        body = [
            {"function": "plus", "data": [[0, 1, 1]]},
            {"function": "nope", "data": []},
            {"function": "PLUS_DETAIL", "version": 1, "data": [[0, 2, 2]]},
        ]
        return orjson.loads((await send("POST", "/v1/batch", body)).body)

    one, two, three = run(tmp_path, act)
    assert one["data"] == [[0, 2.0]]
    assert two["code"] == "UNKNOWN_FUNCTION"
    assert three["data"][0][1]["VALUE"] == 4.0


def test_a_repeated_key_gets_the_first_answer(tmp_path: Path) -> None:
    async def act(send: Send) -> None:
        path = "/v1/functions/COUNTED:batch"
        same = [send("POST", path, {"data": [[0, 1]]}, idempotency_key="k") for _ in range(3)]
        bodies = {r.body for r in await asyncio.gather(*same)}
        assert len(bodies) == 1
        other = await send("POST", path, {"data": [[0, 1]]})
        assert other.body not in bodies
        assert (await send("POST", path, {"data": [[0, 2]]}, idempotency_key="k")).status == 400

    run(tmp_path, act)


def test_ten_times_the_load_is_told_to_come_back_and_nobody_gets_another_s_rows(tmp_path: Path) -> None:
    async def act(send: Send) -> list[Response]:
        path = "/v1/functions/SLEEP:batch"
        calls = [send("POST", path, {"data": [[0, 0.01 + i / 10_000], [1, 0.0]]}) for i in range(200)]
        return await asyncio.gather(*calls)

    responses = run(tmp_path, act, queue_rows=40)
    answered = {i: orjson.loads(r.body)["data"] for i, r in enumerate(responses) if r.status == 200}
    refused = [r for r in responses if r.status == 429]
    assert len(answered) + len(refused) == 200
    assert len(answered) == 20
    assert all(data == [[0, 0.01 + i / 10_000], [1, 0.0]] for i, data in answered.items())
    assert all(int(dict(r.headers)["retry-after"]) >= 1 for r in refused)


def test_the_manifest_answers_304_until_something_changes(tmp_path: Path) -> None:
    async def act(send: Send) -> None:
        first = await send("GET", "/v1/functions")
        names = {f["name"] for f in orjson.loads(first.body)["functions"]}
        assert {
            "PLUS",
            "PLUS_DETAIL",
            "FRAUD_SCORE",
            "FORECAST",
            "CLASSIFY",
            "CLASSIFY_PROBA",
            "SENTIMENT",
        } <= names
        etag = dict(first.headers)["etag"]
        again = await send("GET", "/v1/functions", if_none_match=etag)
        assert (again.status, again.body) == (304, b"")

    run(tmp_path, act)


def test_health_metrics_and_docs(tmp_path: Path) -> None:
    async def act(send: Send) -> None:
        await send("POST", PLUS, {"data": [[0, 1, 1], [1, "x", 1]]})
        assert (await send("GET", "/livez")).status == 200
        assert (await send("GET", "/readyz")).status == 200
        metrics = (await send("GET", "/metrics")).body.decode()
        assert 'udf_rows_total{function="PLUS",outcome="OK"} 1' in metrics
        assert 'udf_rows_total{function="PLUS",outcome="INVALID_INPUT"} 1' in metrics
        assert 'udf_requests_total{function="PLUS",status="200"} 1' in metrics
        assert 'udf_score_seconds_bucket{function="PLUS",le="+Inf"} 1' in metrics
        api = orjson.loads((await send("GET", "/openapi.json")).body)
        assert PLUS in api["paths"]
        page = (await send("GET", "/docs")).body.decode()
        assert "PLUS(A DOUBLE, B DOUBLE) -&gt; DOUBLE" in page
        assert "<script" not in page

    run(tmp_path, act)


def test_openapi_has_every_route_and_no_other(tmp_path: Path) -> None:
    service = Service(tmp_path)
    app = App(service)
    api = orjson.loads(asyncio.run(app.handle(Request("GET", "/openapi.json", {}))).body)
    told = {(method.upper(), path) for path, methods in api["paths"].items() for method in methods}
    names = [f["name"] for f in orjson.loads(service.manifest.body)["functions"]]
    each = {("POST", f"/v1/functions/{name}:batch") for name in names}
    routed = set(app.routes)
    assert ("POST", "/v1/functions/{name}:batch") in routed
    assert told == routed - {("POST", "/v1/functions/{name}:batch")} | each
    for method, path in told:
        placed = set(re.findall(r"\{(\w+)\}", path))
        parameters = api["paths"][path][method.lower()].get("parameters", [])
        assert {p["name"] for p in parameters if p["in"] == "path"} == placed


def test_every_route_of_the_document_is_answered(tmp_path: Path) -> None:
    app = App(Service(tmp_path))

    async def act() -> None:
        for method, path in app.routes:
            known = path.replace("{name}", "EMBED").replace("{version}", "7")
            answer = await app.handle(Request(method, known, {}))
            assert b"UNKNOWN_PATH" not in answer.body, path
            assert answer.status < 500, path
        for path in (
            "/v1/models/{name}/outcomes",
            "/v1/models/../outcomes",
            "/v1/models/a/versions/0/portable",
        ):
            assert (await app.handle(Request("POST", path, {}))).status == 404

    asyncio.run(act())


def test_arrow_both_ways(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="Arrow on the wire needs pyarrow")
    batch = pa.record_batch({"a": [1.0, 2.0, None], "b": [0.5, 0.5, 0.5]})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)

    async def act(send: Send) -> Response:
        return await send("POST", PLUS, sink.getvalue(), content_type=ARROW)

    response = run(tmp_path, act)
    assert (response.status, response.media) == (200, ARROW)
    table = pa.ipc.open_stream(response.body).read_all()
    assert table.column("value").to_pylist() == [1.5, 2.5, None]
    assert table.column("error").to_pylist() == [None, None, None]
    assert table.schema.metadata[b"version"] == b"1"


KINDS = """
import decimal
from udf_server import function

RESULT = "STRUCT<AT TIMESTAMP, DAY DATE, N ARRAY<INTEGER>, D DECIMAL(6, 2)>"

@function(f"KINDS(at TIMESTAMP, day DATE, hour TIME, named MAP<VARCHAR, DOUBLE>) -> {RESULT}")
def kinds(*columns):
    half = decimal.Decimal("1.5")
    return [{"AT": a, "DAY": d, "N": [h, len(m)], "D": half} for a, d, h, m in zip(*columns)]
"""


def test_arrow_carries_the_declared_types_whatever_the_values(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="Arrow on the wire needs pyarrow")
    (tmp_path / "k.py").write_text(KINDS)
    columns = [
        pa.array([90_000, None], pa.timestamp("s", "UTC")),
        pa.array([3, 4], pa.date32()),
        pa.array([5_000_000, 6_000_000], pa.time64("us")),
        pa.array([[("a", 1.0), ("b", None)], []], pa.map_(pa.string(), pa.float64())),
    ]

    def body(batch: Any) -> bytes:
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return sink.getvalue()

    async def act(send: Send) -> list[Any]:
        both = pa.record_batch(columns, names=list("abcd"))
        twice = [pa.array([[("a", 1.0), ("a", 2.0)]], columns[3].type)]
        broken = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff"))
        bodies = [body(both), body(both.slice(1)), body(pa.record_batch(twice, names=["a"]))]
        bodies += [body(pa.record_batch([broken], names=["a"])), bodies[0][:-200], b"none"]
        return [await send("POST", "/v1/functions/KINDS:batch", b, content_type=ARROW) for b in bodies]

    full, empty, *refused = run(tmp_path, act)
    tables = [pa.ipc.open_stream(r.body).read_all() for r in (full, empty)]
    wanted = pa.struct(
        {"AT": pa.int64(), "DAY": pa.int32(), "N": pa.list_(pa.int32()), "D": pa.decimal128(6, 2)}
    )
    assert [t.schema.field("value").type for t in tables] == [wanted, wanted]
    assert tables[0]["value"].to_pylist() == [
        {"AT": 90_000_000, "DAY": 3, "N": [5000, 2], "D": Decimal("1.5")},
        None,
    ]
    assert tables[1]["value"].to_pylist() == [None]
    assert [(r.status, orjson.loads(r.body)["code"]) for r in refused] == [(400, "MALFORMED")] * 4


def test_readiness_waits_for_what_must_be_warm_and_ends_with_the_drain(tmp_path: Path) -> None:
    (tmp_path / "w.py").write_text(
        "from udf_server import function\nimport time\n"
        "@function('WARMED(x DOUBLE) -> DOUBLE', warm=lambda: time.sleep(0.1))\ndef warmed(xs):\n    return xs\n"
        "@function('COLD(x DOUBLE) -> DOUBLE', warm=lambda: 1 / 0)\ndef cold(xs):\n    return xs\n"
    )

    async def act() -> list[int]:
        service = Service(tmp_path / "models", tmp_path)
        service.catalog.functions = {
            k: f for k, f in service.catalog.functions.items() if k[0] in ("WARMED", "COLD")
        }
        app = App(service)

        async def ready() -> int:
            response = await app.handle(Request("GET", "/readyz", {}))
            assert (dict(response.headers).get("retry-after") == "1") == (response.status == 503)
            return response.status

        warming = asyncio.create_task(service.warm())
        await asyncio.sleep(0.02)
        seen = [await ready()]
        await warming
        seen.append(await ready())
        await service.drain()
        return [*seen, await ready()]

    assert asyncio.run(act()) == [503, 200, 503]


def test_a_models_portable_form_by_version_and_to_whom(tmp_path: Path) -> None:
    import hashlib

    from tests.support.models import linear_model

    for name in ("churn", "fraud"):
        linear_model(ModelStore(tmp_path / "models"), name, [1.0, 2.0])
    path = "/v1/models/churn/versions/{}/portable"
    allowed = {"all": frozenset(), "f": frozenset({"FRAUD_SCORE"}), "p": frozenset({"PREDICT"})}

    async def act(send: Send) -> None:
        first = await send("GET", path.format(1), authorization="Bearer all")
        header, _, body = first.body.partition(b"\n")
        digest = hashlib.sha256(body).hexdigest()
        assert (first.status, orjson.loads(header)["sha256"]) == (200, digest)
        headers = dict(first.headers)
        assert (headers["etag"], headers["x-model-version"]) == (f'"{digest}"', "1")
        live = await send("GET", path.format("live"), authorization="Bearer p", if_none_match=headers["etag"])
        assert (live.status, live.body) == (304, b"")
        for name, version, token, status in (
            ("churn", 1, "none", 401),
            ("churn", 1, "f", 403),
            ("fraud", 1, "f", 200),
            ("churn", 9, "all", 404),
            ("absent", "live", "all", 404),
            ("../churn", 1, "all", 404),
        ):
            found = await send(
                "GET", f"/v1/models/{name}/versions/{version}/portable", authorization=f"Bearer {token}"
            )
            assert found.status == status, (name, version, token, found.body)

    run(tmp_path, act, Tokens(allowed))
