from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path

import orjson
import pytest

from ksqlkit.datagen import customers, messages, terminals, transactions, write_rows
from ksqlkit.datagen.messages import INTENTS
from ksqlkit.datagen.transactions import KINDS
from ksqlkit.errors import DataError


def digest(rows: object) -> str:
    return hashlib.sha256(orjson.dumps(rows)).hexdigest()


def test_same_seed_same_rows_other_seed_other_rows() -> None:
    assert digest(list(transactions(3000))) == digest(list(transactions(3000)))
    assert digest(list(transactions(3000, seed=8))) != digest(list(transactions(3000)))
    assert digest(list(messages(200))) == digest(list(messages(200)))


def test_rows_are_in_time_order_numbered_and_labelled() -> None:
    rows = list(transactions(10_000))
    assert [r["TX_ID"] for r in rows] == list(range(1, 10_001))
    times = [r["TX_TIME"] for r in rows]
    assert times == sorted(times)
    kinds = Counter(r["FRAUD_KIND"] for r in rows)
    assert set(kinds) == set(KINDS)
    assert 0.012 < 1 - kinds["NONE"] / 10_000 < 0.025
    assert all((r["FRAUD_KIND"] != "NONE") == bool(r["IS_FRAUD"]) for r in rows)
    assert all(r["AMOUNT"] > 0 for r in rows)


def test_customers_and_terminals_are_those_of_the_transactions() -> None:
    rows = list(transactions(5000, seed=3))
    assert {r["CUSTOMER_ID"] for r in rows} <= {c["CUSTOMER_ID"] for c in customers(5000, seed=3)}
    assert {r["TERMINAL_ID"] for r in rows} <= {t["TERMINAL_ID"] for t in terminals(5000, seed=3)}


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 100])
def test_any_number_of_rows(rows: int) -> None:
    assert len(list(transactions(rows))) == rows
    assert len(list(messages(rows))) == rows


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        next(transactions(-1))


def test_messages_carry_intent_and_sentiment() -> None:
    rows = list(messages(500))
    assert {r["INTENT"] for r in rows} == set(INTENTS)
    assert {r["SENTIMENT"] for r in rows} == {"POSITIVE", "NEUTRAL", "NEGATIVE"}
    assert all("{" not in r["BODY"] and len(r["BODY"]) < 300 for r in rows)


def test_files_read_back(tmp_path: Path) -> None:
    rows = list(transactions(50))
    assert write_rows(rows, tmp_path / "t.jsonl") == 50
    assert [orjson.loads(line) for line in (tmp_path / "t.jsonl").read_bytes().splitlines()] == rows
    assert write_rows(iter(rows), tmp_path / "t.csv") == 50
    with (tmp_path / "t.csv").open(newline="") as stream:
        back = list(csv.DictReader(stream))
    assert [{k: str(v) for k, v in r.items()} for r in rows] == back
    with pytest.raises(DataError, match="parquet"):
        write_rows(rows, tmp_path / "t.parquet")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.csv", "t.jsonl"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.csv cannot be written: No such file or directory"):
        write_rows([{"A": 1}], tmp_path / "missing" / "rows.csv")
    (tmp_path / "rows.csv").mkdir()
    with pytest.raises(DataError, match=r"rows\.csv cannot be written: Is a directory"):
        write_rows([{"A": 1}], tmp_path / "rows.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["rows.csv"]
