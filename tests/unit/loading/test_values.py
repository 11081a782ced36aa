"""Values that do not fit their column are refused before anything is written; the others arrive as they were."""

from __future__ import annotations

import datetime as dt
import decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from ksqlkit.client.embedded import EmbeddedClient
from ksqlkit.dialect import parse_type
from ksqlkit.errors import DataError
from ksqlkit.loading.load import load_file
from ksqlkit.loading.values import fitter

D = decimal.Decimal
FITS: list[tuple[str, Any, Any]] = [
    ("INTEGER", 3.0, 3),
    ("INTEGER", "12", 12),
    ("BIGINT", dt.datetime(1970, 1, 1, 0, 0, 1), 1000),
    ("DOUBLE", D("1.5"), 1.5),
    ("DOUBLE", float("nan"), None),
    ("STRING", 5, "5"),
    ("STRING", True, "true"),
    ("STRING", D("1.50"), "1.50"),
    ("STRING", [1], "[1]"),
    ("DECIMAL(4, 2)", 12.34, D("12.34")),
    ("DECIMAL(4, 2)", "1.5", D("1.5")),
    ("BOOLEAN", "TRUE", True),
    ("TIMESTAMP", dt.date(1970, 1, 2), 86_400_000),
    ("DATE", dt.datetime(1970, 1, 2, 5), 1),
    ("DATE", "1970-01-03", 2),
    ("TIME", dt.time(0, 0, 1), 1000),
    ("BYTES", "YWI=", b"ab"),
    ("ARRAY<INTEGER>", [1, None, 2.0], [1, None, 2]),
    ("MAP<STRING, INTEGER>", [("a", 1)], {"a": 1}),
    ("STRUCT<A INTEGER, B STRING>", {"a": 1, "c": 2}, {"A": 1, "B": None}),
]
MISFITS: list[tuple[str, Any]] = [
    ("INTEGER", 2**31),
    ("INTEGER", 1.5),
    ("INTEGER", True),
    ("BIGINT", float("inf")),
    ("BIGINT", 2**63),
    ("BIGINT", [1]),
    ("DOUBLE", "cheap"),
    ("DOUBLE", False),
    ("STRING", b"ab"),
    ("DECIMAL(4, 2)", 100),
    ("DECIMAL(4, 2)", float("inf")),
    ("BOOLEAN", 1),
    ("BOOLEAN", "yes please"),
    ("TIMESTAMP", "yesterday"),
    ("DATE", {}),
    ("BYTES", "!!"),
    ("BYTES", 5),
    ("ARRAY<INTEGER>", ["x"]),
    ("ARRAY<STRING>", "text"),
    ("MAP<STRING, INTEGER>", {"a": "b"}),
    ("STRUCT<A INTEGER>", {"A": "q"}),
    ("STRUCT<A INTEGER>", [1]),
]


@pytest.mark.parametrize(("kind", "value", "expected"), FITS)
def test_what_fits(kind: str, value: Any, expected: Any) -> None:
    found = fitter(parse_type(kind))(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("kind", "value"), MISFITS)
def test_what_does_not_fit(kind: str, value: Any) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError)):
        fitter(parse_type(kind))(value)


def client(columns: str, value_format: str = "JSON") -> EmbeddedClient:
    made = EmbeddedClient.open(":memory:")
    made.execute(
        f"CREATE STREAM S ({columns}) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='{value_format}', PARTITIONS=1);"
    )
    return made


def test_json_lines_name_the_line_and_the_column(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"N": 1}\n\n{"N": 99999999999}\n')
    made = client("N INT")
    with pytest.raises(DataError, match="99999999999 in column N is not a INTEGER") as caught:
        load_file(made, path, "s")
    assert str(caught.value.location) == f"{path}:3"
    assert made.query("SELECT * FROM S;").rows == []


def test_parquet_columns_of_a_wrong_type_are_told_at_once(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    path = tmp_path / "a.parquet"
    columns = {"a": ["cheap"], "b": [b"x"], "c": [[1.5]], "d": [{"X": "y"}], "e": [1]}
    pyarrow.parquet.write_table(arrow.table(columns), path)
    made = client("A DOUBLE, B STRING, C ARRAY<STRING>, D STRUCT<X INT>, E DOUBLE")
    with pytest.raises(DataError) as caught:
        load_file(made, path, "s")
    said = caught.value.message
    assert "column a is string, S has DOUBLE" in said
    assert "column b is binary, S has STRING" in said
    assert "column d is struct<X: string>, S has STRUCT<`X` INTEGER>" in said
    assert "column c" not in said  # a number can be text
    assert "column e" not in said
    assert caught.value.location is not None
    assert caught.value.location.file == str(path)


NESTED = (
    "A ARRAY<INT>, M MAP<STRING, DOUBLE>, T STRUCT<X INT, Y STRING>, P DECIMAL(20, 2), W TIMESTAMP, D DATE, C TIME, "
    "Y BYTES, `mixed` STRING"
)
SHOWN = [
    [1, 2],
    {"k": 1.5},
    {"X": 1, "Y": "é"},
    "123456789012345678.10",
    "2024-01-01T12:00:00.123",
    "2024-01-01",
    "10:30",
    "ab",
    "q",
]


@pytest.mark.parametrize("value_format", ["JSON", "AVRO"])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_nested_values_and_names_in_mixed_case_from_every_kind_of_file(
    tmp_path: Path, kind: str, value_format: str
) -> None:
    path = tmp_path / f"a.{kind}"
    row: dict[str, Any] = {
        "a": [1, 2],
        "m": {"k": 1.5},
        "t": {"x": 1, "y": "é"},
        "p": "123456789012345678.10",
        "w": "2024-01-01T12:00:00.123",
        "d": "2024-01-01",
        "c": "10:30",
        "y": "YWI=",
        "mixed": "q",
    }
    if kind == "jsonl":
        path.write_bytes(orjson.dumps(row))
    elif kind == "csv":
        cells = [
            v if isinstance(v, str) else orjson.dumps(v).decode().replace('"', '""') for v in row.values()
        ]
        path.write_text(",".join(row) + "\n" + ",".join(f'"{c}"' for c in cells) + "\n")
    else:
        arrow = pytest.importorskip("pyarrow")
        import pyarrow.parquet

        row["w"] = dt.datetime(2024, 1, 1, 12, 0, 0, 123_000)
        row |= {"p": D(row["p"]), "d": dt.date(2024, 1, 1), "c": dt.time(10, 30), "y": b"ab"}
        table = arrow.Table.from_pylist([row])
        fields = [
            f.with_type(arrow.map_(arrow.string(), arrow.float64()))
            if f.name == "m"
            else f.with_type(arrow.timestamp("ns"))
            if f.name == "w"
            else f
            for f in table.schema
        ]
        table = arrow.Table.from_pylist([{**row, "m": [("k", 1.5)]}], arrow.schema(fields))
        pyarrow.parquet.write_table(table, path)
    made = client(NESTED, value_format)
    assert load_file(made, path, "s") == 1
    sql = "SELECT A, M, T, CAST(P AS STRING), W, D, C, FROM_BYTES(Y, 'utf8'), `mixed` FROM S;"
    assert made.query(sql).rows == [SHOWN]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_key_from_another_column_has_the_keys_type(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_text("order_id,n\n7,1\n" if kind == "csv" else '{"order_id": 7, "n": 1}\n')
    made = client("ID BIGINT KEY, N INT")
    load_file(made, path, "s", key="order_id")
    assert made.query("SELECT * FROM S;").rows == [[7, 1]]
    path.write_text("order_id,n\nseven,1\n" if kind == "csv" else '{"order_id": "seven", "n": 1}\n')
    with pytest.raises(DataError, match="'seven' in column order_id is not a BIGINT"):
        load_file(made, path, "s", key="order_id")
