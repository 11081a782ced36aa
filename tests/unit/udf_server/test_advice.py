"""What `ksqlkit train` warns of: each thing is found where it is, and not where it is not."""

from __future__ import annotations

import csv
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ksqlkit.loading.readers import infer, read_rows
from udf_server.advice import advise, messages
from udf_server.frame import Frame
from udf_server.tabular import Recipe
from udf_server.train_rows import Task

ROWS = 3000


def table(seed: int = 1, rows: int = ROWS) -> dict[str, Any]:
    """Columns that are as they should be, and a label of which one in 14 is a one."""
    chance = np.random.default_rng(seed)
    x, z = chance.normal(size=(2, rows))
    return {
        "X": x.tolist(),
        "Z": z.round(1).tolist(),
        "COUNT": chance.poisson(3, rows).tolist(),
        "PLAN": chance.choice(["free", "paid", "none"], rows).tolist(),
        "GAPS": [None if chance.random() < 0.3 else v for v in z.tolist()],
        "Y": (x + chance.normal(size=rows) > 2.1).astype(int).tolist(),
    }


def found(columns: dict[str, Any], **task: Any) -> dict[str | None, str]:
    names = list(columns)
    frame = Frame.of([dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)])
    return {a.column: a.kind for a in advise(frame, Task(label="Y", **task))}


def test_good_columns_are_left_in_peace() -> None:
    assert found(table()) == {}
    values = table()
    values["Y"] = [x + z for x, z in zip(values["X"], values["Z"], strict=True)]
    assert found(values) == {}
    values["Y"] = [f"class {c % 3}" for c in values["COUNT"]]
    assert found({**values, "COUNT": values["X"]}) == {}


def known_after(y: list[int]) -> list[Any]:
    """There only where it turned out so."""
    return [at * 7 % 31 + 0.5 if one else None for at, one in enumerate(y)]


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("leak", lambda y: [3 - one for one in y]),
        ("leak", lambda y: ["refused" if one else "ok" for one in y]),
        ("leak", lambda y: [one + 0.3 * np.sin(at) for at, one in enumerate(y)]),
        ("leak", lambda y: [int(one and at % 3 == 0) for at, one in enumerate(y)]),
        ("leak", known_after),
        ("constant", lambda y: ["same"] * len(y)),
        ("constant", lambda y: [None] * len(y)),
        ("constant", lambda y: [True] * len(y)),
        ("identifier", lambda y: [f"c{at * 7919 % 10_007}" for at in range(len(y))]),
        ("identifier", lambda y: [1000 + at for at in range(len(y))]),
        ("identifier", lambda y: [at * 7 % 3000 for at in range(len(y))]),
        ("text", lambda y: [f"the card number {at} was lost again" for at in range(len(y))]),
        ("date", lambda y: [f"2026-{1 + at % 12:02}-{1 + at % 28:02}" for at in range(len(y))]),
        ("date", lambda y: [f"2026-01-01T{at % 24:02}:00:00Z" for at in range(len(y))]),
        ("date", lambda y: [1_700_000_000_000 + at * 977 % 100_000 for at in range(len(y))]),
        ("clock", lambda y: [at * 0.5 for at in range(len(y))]),
        ("clock", lambda y: [at // 20 for at in range(len(y))]),
    ],
)
def test_what_is_wrong_with_a_column_is_named(kind: str, made: Any) -> None:
    columns = table()
    columns["BAD"] = made(columns["Y"])
    assert found(columns) == {"BAD": kind}
    assert found(columns, drop=("BAD",)) == {}
    assert found(columns, features=("X", "Z")) == {}


def test_codes_of_things_are_named_by_their_name() -> None:
    columns = table()
    codes = [at * 31 % 200 for at in range(ROWS)]
    assert found({**columns, "SHOP_ID": codes}) == {"SHOP_ID": "identifier"}
    assert found({**columns, "SHOP_SIZE": codes}) == {}


def test_the_leak_of_a_value() -> None:
    columns = table()
    columns["Y"] = [3.0 * x + 1 for x in columns["X"]]
    assert found(columns) == {"X": "leak"}
    columns = table()
    columns["Y"] = [f"of {p}" for p in columns["PLAN"]]
    assert found(columns) == {"PLAN": "leak"}


def test_labels_that_are_too_few() -> None:
    columns = table()
    columns["Y"] = [int(at % 250 == 0) for at in range(ROWS)]
    assert found(columns) == {"Y": "small class"}
    columns["Y"] = [0] * 2900 + [at % 2 for at in range(30)] + [0] * 70
    assert found(columns) == {"Y": "small class"}
    columns["Y"] = [["a", "b", "c"][at % 3] if at < 20 else "a" for at in range(ROWS)]
    assert set(found(columns).values()) == {"small class", "imbalance"} or found(columns) == {
        "Y": "imbalance"
    }
    assert found({k: v[:90] for k, v in table().items()})[None] == "few rows"


def test_rows_that_were_learned() -> None:
    columns = table()
    twice = {name: [*values[:2550], *values[:450]] for name, values in columns.items()}
    assert found(twice)[None] == "repeated rows"
    flags = {"A": [at % 2 for at in range(ROWS)], "B": [at % 3 for at in range(ROWS)], "Y": columns["Y"]}
    assert found(flags) == {}, "rows of flags are alike by nature"


def test_texts_that_come_again_or_have_several_labels() -> None:
    texts = [f"text number {at}" for at in range(300)]
    labels = [f"c{at % 3}" for at in range(300)]
    assert found({"T": texts, "Y": labels}, text="T") == {}
    assert found({"T": texts + texts[:60], "Y": labels + labels[:60]}, text="T") == {"T": "repeated rows"}
    turned = labels[1:61]
    assert found({"T": texts + texts[:60], "Y": labels + turned}, text="T") == {"T": "several labels"}


def test_evidence_is_measured_and_goes_into_json() -> None:
    columns = table()
    columns["FLAG"] = [int(one and at % 3 == 0) for at, one in enumerate(columns["Y"])]
    frame = Frame.of([dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])
    [one] = messages(advise(frame, Task(label="Y")))
    assert (one["kind"], one["column"]) == ("leak", "FLAG")
    assert one["evidence"]["rows"] == sum(columns["FLAG"])
    assert one["evidence"]["share"] == 1.0
    assert one["evidence"]["usual"] == pytest.approx(np.mean(columns["Y"]))
    assert "--drop FLAG" in one["do"]
    assert "FLAG is 1" in one["message"]


DATA = Path(os.environ.get("ACCURACY_DATA", Path(__file__).parents[3].parent / "shared" / "data"))
WIDE = {
    "fraud/train_2018-07-25_7d.csv.gz": ("TX_FRAUD", {
        "TRANSACTION_ID": "identifier", "CUSTOMER_ID": "identifier", "TERMINAL_ID": "identifier",
        "TX_DATETIME": "date", "TX_TIME_SECONDS": "clock", "TX_FRAUD_SCENARIO": "leak",
    }),
    "maintenance/ai4i2020-70.csv": ("MACHINE FAILURE", {
        "UDI": "identifier", "PRODUCT ID": "identifier", "TWF": "leak", "HDF": "leak", "PWF": "leak",
        "OSF": "leak", "MACHINE FAILURE": "small class",
    }),
}  # fmt: skip


@pytest.mark.parametrize("file", WIDE)
def test_public_sets_get_warnings_that_are_right(file: str) -> None:
    if not (DATA / file).is_file():
        pytest.skip(f"{DATA / file} is not there")
    label, expected = WIDE[file]
    frame = Frame.read(lambda: read_rows(DATA / file)[1], infer)
    assert {a.column: a.kind for a in advise(frame, Task(label=label))} == expected


def test_connections_of_nsl_kdd_are_taken_as_they_are() -> None:
    path = DATA / "threat" / "kdd-train20.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    with path.open() as file:
        rows = [{f"F{at}": value for at, value in enumerate(row)} for row in csv.reader(file)]
    for row in rows:
        row["F41"] = str(int(row["F41"] != "normal"))
    frame = Frame.read(lambda: rows, infer)
    got = {a.column: a.kind for a in advise(frame, Task(label="F41", drop=("F42",)))}
    assert got == {"F19": "constant", "F20": "constant"}


def test_no_rows_are_too_odd_to_be_looked_at() -> None:
    chance = random.Random(4)
    made: list[Any] = [
        lambda at: None, lambda at: chance.choice([0, 1]), lambda at: chance.random(), lambda at: at,
        lambda at: chance.choice(["a", "b", None]), lambda at: f"x{at}", lambda at: [1],
        lambda at: chance.choice([True, False]), lambda at: chance.choice([None, 1.5]), lambda at: "",
        lambda at: chance.choice([1e308, -1e308]), lambda at: 10 ** chance.randrange(25),
        lambda at: chance.choice(["2026-01-01", ""]), lambda at: 1_700_000_000_000 + at,
        lambda at: -at * 1e-300, lambda at: 1 if at == 0 else None, lambda at: chance.choice([2, 3, 4]),
    ]  # fmt: skip
    for _ in range(200):
        count, kinds = chance.choice([1, 2, 3, 40, 120]), chance.sample(made, 4)
        rows = [{name: kind(at) for name, kind in zip("YABC", kinds, strict=True)} for at in range(count)]
        recipe = Recipe(task=chance.choice([None, "classes", "binary", "regression"]))
        for advice in advise(Frame.of(rows), Task("Y", text=chance.choice([None, "A"]), recipe=recipe)):
            assert str(advice)
