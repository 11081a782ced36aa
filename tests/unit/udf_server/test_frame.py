"""Rows as typed columns: the same values as row by row, in a fraction of the memory."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ksqlkit.loading.readers import infer
from udf_server import frame as module
from udf_server import train_rows
from udf_server.features import windowed_features
from udf_server.frame import Column, Frame, parse_numbers

TEXTS = [
    ["1", "2", "-3"],
    ["1.5", "", "2e3", "-.5"],
    ["007", "12"],
    ["0.5", "0", "-0"],
    ["true", "False", ""],
    ["true", "1"],
    ["yes", "1.50", "NA"],
    ["", "", ""],
    ["nan", "1"],
    ["inf", "1e999", "5"],
    ["1_000", "2"],
    ["9007199254740993", "1"],
    ["1234567890123456789", "1"],
    ["١", "2"],
    [" 1", "2"],
    ["1e5", "10"],
    ["--5.0", "5"],
]


def plainly(texts: list[str]) -> list[Any]:
    """Each by itself; where one is a word, all are, as they are written."""
    values = [infer(t) for t in texts]
    if any(isinstance(v, str) for v in values):
        return [None if v is None else t for v, t in zip(values, texts, strict=True)]
    return values


@pytest.mark.parametrize("texts", TEXTS, ids=lambda t: " ".join(t))
@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_texts_mean_what_they_mean_one_by_one(
    texts: list[str], chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    rows = [{"a": t, "b": "x"} for t in texts]
    frame = Frame.read(lambda: rows, infer)
    assert list(frame["A"]) == plainly(texts)
    assert frame["B"].kind == "word"
    assert list(frame) == [{"A": v, "B": "x"} for v in plainly(texts)]


def test_numbers_read_at_once_are_those_read_one_by_one() -> None:
    chance = random.Random(1)
    made = [
        lambda: str(chance.randrange(-1000, 1000)),
        lambda: f"{chance.gauss(0, 10):.3f}",
        lambda: "",
        lambda: chance.choice(
            ["1e3", "2E-4", ".5", "5.", "+7", "00", "0", "x", "1-2", "12345678901234567890"]
        ),
    ]
    for _ in range(300):
        kinds = chance.sample(made, chance.randrange(1, 4))
        texts = [chance.choice(kinds)() for _ in range(20)]
        found = parse_numbers(texts)
        slow = [infer(t) for t in texts]
        if found is None:
            continue
        assert not any(isinstance(v, str) for v in slow), texts
        assert np.array_equal(found[0], np.array([np.nan if v is None else v for v in slow]), equal_nan=True)
        assert (found[1] == "whole") == all(isinstance(v, int) for v in slow if v is not None)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None, 3], "whole"),
        ([1, 2.5, None], "number"),
        ([True, None, False], "flag"),
        ([True, 2], "number"),
        (["a", None, "b"], "word"),
        ([None, None], "number"),
        ([[1], {"a": 2}, None], "other"),
        ([10**20, 3], "other"),
        ([10**400, 1.5, None], "other"),
        ([1, None, 2, None, [3]], "other"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 100])
def test_values_come_back_as_they_were(
    values: list[Any], kind: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    column = Column.of(values)
    assert (column.kind, list(column)) == (kind, values)
    assert column.missing.tolist() == [v is None for v in values]
    assert [column[i] for i in range(-len(values), len(values))] == values * 2
    assert list(column[1:]) == values[1:]
    assert list(Frame({"A": column}).keep(np.array([1, 0]))["A"]) == [values[1], values[0]]


def test_columns_that_come_late_and_in_several_spellings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    rows = [{"a": 1}, {"A": 2}, {"b": "x", "a": 3}, {"B": "y"}, {"a": 1, "A": 5}]
    frame = Frame.of(rows)
    assert list(frame["A"]) == [1, 2, 3, None, 5]
    assert list(frame["B"]) == [None, None, "x", "y", None]
    assert len(frame[1:3]) == 2
    assert frame[2] == {"A": 3, "B": "x"}


def test_card_features_do_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(3)
    rows = [
        {"CUSTOMER_ID": f"c{chance.randrange(5)}", "TERMINAL_ID": chance.randrange(4),
         "AMOUNT": None if chance.random() < 0.1 else chance.random() * 100,
         "TX_TIME": at * 400_000 - chance.randrange(900_000), "OTHER": "x"}
        for at in range(500)
    ]  # fmt: skip
    whole = windowed_features(rows)
    for chunk in (7, 1000):
        monkeypatch.setattr(train_rows, "CHUNK", chunk)
        found = train_rows.card_features(Frame.of(rows))
        assert {name: list(column) for name, column in found.columns.items()} == whole


def test_words_of_a_part_are_those_that_occur() -> None:
    column = Column.of(["c", "a", None, "b"])
    part = column[:3].used()
    assert (part.words, part.numbers(part.words).tolist()[:2]) == (("a", "c"), [1.0, 0.0])
    assert np.isnan(part.numbers(part.words)[2])
    assert column.numbers(["b", "c"])[[0, 3]].tolist() == [1.0, 0.0]
    assert Column.of([1, 2]).numbers(["2"]).tolist()[1] == 0.0


MEASURE = """
import resource, sys
from pathlib import Path
import numpy, xgboost
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
from ksqlkit.cli.main import app
from typer.testing import CliRunner
done = CliRunner().invoke(app, ["train", "m", "--from", sys.argv[1], "--label", "Y", "--project", sys.argv[2]])
assert done.exit_code == 0, done.stderr
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_training_keeps_no_object_a_cell(tmp_path: Path) -> None:
    """200,000 rows of nine columns: as Python objects they took 285 MB."""
    chance = np.random.default_rng(1)
    numbers = chance.normal(size=(200_000, 7)).round(3)
    label = (numbers[:, 0] + chance.normal(size=len(numbers)) > 1).astype(int)
    words = chance.choice(["web", "app", "shop"], len(numbers))
    with (tmp_path / "rows.csv").open("w") as file:
        file.write("A,B,C,D,E,F,G,WORD,Y\n")
        for row, word, one in zip(numbers.tolist(), words, label, strict=True):
            file.write(f"{','.join(map(str, row))},{word},{one}\n")
    (tmp_path / "ksqlkit.toml").write_text("[project]\nname = 'p'\n")
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "rows.csv"), str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100, f"{done.stdout.strip()} MB more than the libraries"
