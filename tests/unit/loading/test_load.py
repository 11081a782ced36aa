"""Data files into topics: formats, types, keys, event times, and files that do not fit."""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
from pathlib import Path

import orjson
import pytest

from ksqlkit.client.embedded import EmbeddedClient
from ksqlkit.errors import DataError
from ksqlkit.loading.load import load_file
from ksqlkit.loading.readers import infer, to_millis

STREAM = (
    "CREATE STREAM ORDERS (ORDER_ID BIGINT KEY, CUSTOMER STRING, AMOUNT DOUBLE, N INT) "
    "WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='{}', PARTITIONS=1);"
)
CSV = "order_id,customer,amount,n,at\n1,007,20.5,3,2026-01-05T09:10:00Z\n2,bob,,4,2026-01-05T09:20:00Z\n"


def client(value_format: str = "JSON") -> EmbeddedClient:
    made = EmbeddedClient.open(":memory:")
    made.execute(STREAM.format(value_format))
    return made


def rows(made: EmbeddedClient) -> list[list[object]]:
    sql = "SELECT ORDER_ID, CUSTOMER, AMOUNT, N, ROWTIME FROM ORDERS EMIT CHANGES LIMIT 2;"
    return made.query(sql, properties={"auto.offset.reset": "earliest"}).rows


EXPECTED = [[1, "007", 20.5, 3, 1767604200000], [2, "bob", None, 4, 1767604800000]]


@pytest.mark.parametrize("value_format", ["JSON", "DELIMITED"])
def test_a_csv_file_takes_the_streams_types_and_format(tmp_path: Path, value_format: str) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(CSV)
    made = client(value_format)
    assert load_file(made, path, "orders", timestamp="at") == 2
    assert rows(made) == EXPECTED


def test_registered_formats_are_inserted_without_event_time(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(CSV)
    made = client("AVRO")
    with pytest.raises(DataError, match="without an event time"):
        load_file(made, path, "orders", timestamp="at")
    assert load_file(made, path, "orders") == 2
    assert [row[:4] for row in rows(made)] == [row[:4] for row in EXPECTED]


def test_json_lines_and_gzip(tmp_path: Path) -> None:
    lines = [
        {"ORDER_ID": 1, "Customer": "007", "amount": 20.5, "n": 3, "at": 1767604200000},
        {"ORDER_ID": 2, "Customer": "bob", "n": 4, "at": 1767604800000},
    ]
    path = tmp_path / "orders.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(orjson.dumps(line) for line in lines)))
    made = client()
    load_file(made, path, "orders", timestamp="at")
    assert rows(made) == EXPECTED


def test_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    path = tmp_path / "orders.parquet"
    table = arrow.table(
        {
            "order_id": [1, 2],
            "customer": ["007", "bob"],
            "amount": [20.5, None],
            "n": [3, 4],
            "at": [1767604200000, 1767604800000],
        }
    )
    pyarrow.parquet.write_table(table, path)
    made = client()
    load_file(made, path, "orders", timestamp="at")
    assert rows(made) == EXPECTED


@pytest.mark.parametrize("name", ["amount", "order_id"])
def test_a_missing_column_is_named_and_nothing_is_loaded(tmp_path: Path, name: str) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(CSV.replace(name, "other"))
    made = client()
    with pytest.raises(DataError) as caught:
        load_file(made, path, "orders")
    assert name.upper() in caught.value.message
    assert "ORDERS" in caught.value.message
    assert caught.value.location is not None
    assert caught.value.location.file == str(path)
    assert made.query("SELECT * FROM ORDERS;").rows == []


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (CSV + "3,x,cheap,1,2026-01-05T09:10:00Z\n", 4, "'cheap' in column amount is not a DOUBLE"),
        (CSV + "3,x\n", 4, "The line has 2 cells, the header 5"),
        (CSV + "3,x,1,1,yesterday\n", 4, "'yesterday' in column at is not a time"),
        (CSV + '3,"x\ny",1,1,1\n4,x,1,99999999999,1\n', 6, "'99999999999' in column n is not a INTEGER"),
        (CSV.replace("amount", "N"), 1, "names column"),
    ],
)
def test_a_bad_row_stops_the_load_at_its_line(
    tmp_path: Path, text: str, line: int | None, message: str
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(text)
    made = client()
    with pytest.raises(DataError) as caught:
        load_file(made, path, "orders", timestamp="at")
    assert message in caught.value.message
    if line:
        assert caught.value.location is not None
        assert caught.value.location.line == line
    assert made.query("SELECT * FROM ORDERS;").rows == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.jsonl", "{}\nnope\n", "Not JSON"),
        ("a.jsonl", "[1]\n", "not a JSON object"),
        ("a.xls", "x", "cannot tell what kind"),
        ("a.parquet", "x", "not a Parquet file"),
        ("a.csv.gz", "x", "cannot be unpacked"),
        ("a.csv.zip", "x", "cannot be unpacked"),
        ("a.jsonl.gz", "x", "cannot be unpacked"),
    ],
)
def test_files_that_are_not_what_they_say(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    made = client()
    with pytest.raises(DataError, match=message):
        load_file(made, path, "orders")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file"):
        load_file(client(), tmp_path / "none.csv", "orders")


def test_times() -> None:
    assert to_millis("1970-01-01T00:00:01Z") == 1000
    assert to_millis("1970-01-01T01:00:01+01:00") == 1000
    assert to_millis("1970-01-01 00:00:01") == 1000
    assert to_millis("1500") == 1500
    assert to_millis(1500.7) == 1500


def test_a_row_that_does_not_fit_keeps_all_of_the_file_out(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("order_id,customer,amount,n\n" + "1,ann,2,3\n" * 6000 + "1,ann,two,3\n")
    made = client()
    with pytest.raises(DataError, match="'two' in column amount"):
        load_file(made, path, "orders")
    assert made.query("SELECT * FROM ORDERS;").rows == []


def test_a_spreadsheets_mark_and_a_long_cell(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(f"order_id,customer,amount,n\n1,{'x' * 200_000},2,3\n", encoding="utf-8-sig")
    made = client()
    assert load_file(made, path, "orders") == 1
    assert len(made.query("SELECT CUSTOMER FROM ORDERS;").rows[0][0]) == 200_000


EVERY = (
    "CREATE STREAM E (T TIMESTAMP, D DATE, C TIME, M DECIMAL(20, 2), Y BYTES, Z BOOLEAN) "
    "WITH (KAFKA_TOPIC='e', VALUE_FORMAT='{}', PARTITIONS=1);"
)


@pytest.mark.parametrize("value_format", ["JSON", "DELIMITED"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_times_decimals_and_bytes(tmp_path: Path, kind: str, value_format: str) -> None:
    path = tmp_path / f"e.{kind}"
    if kind == "csv":
        path.write_text(
            "t,d,c,m,y,z\n2024-01-01T12:00:00,2024-01-01,10:30:00,123456789012345678.10,YWI=,false\n"
        )
    else:
        arrow = pytest.importorskip("pyarrow")
        import pyarrow.parquet

        row = {
            "t": dt.datetime(2024, 1, 1, 12),
            "d": dt.date(2024, 1, 1),
            "c": dt.time(10, 30),
            "m": decimal.Decimal("123456789012345678.10"),
            "y": b"ab",
            "z": False,
        }
        pyarrow.parquet.write_table(arrow.Table.from_pylist([row]), path)
    made = EmbeddedClient.open(":memory:")
    made.execute(EVERY.format(value_format))
    assert load_file(made, path, "e") == 1
    shown = "SELECT T, D, C, CAST(M AS STRING), FROM_BYTES(Y, 'utf8'), Z FROM E;"
    expected = ["2024-01-01T12:00:00.000", "2024-01-01", "10:30", "123456789012345678.10", "ab", False]
    assert made.query(shown).rows == [expected]


def test_cells_without_a_type_keep_what_they_say() -> None:
    cells = [
        "007",
        "1_000",
        "nan",
        "inf",
        "12",
        "-3",
        "1.5",
        "1e3",
        "99999999999999999999",
        "0",
        "TRUE",
        "NA",
        "-",
        "+-5",
    ]
    found = [infer(cell) for cell in cells]
    assert found == ["007", "1_000", "nan", "inf", 12, -3, 1.5, 1000.0, cells[8], 0, True, None, "-", "+-5"]


def test_another_separator_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(CSV.replace(",", ";"))
    with pytest.raises(DataError) as caught:
        load_file(client(), path, "orders")
    assert "Separate the cells by commas, not by ';'" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["orders.csv", "orders.csv.gz"])
@pytest.mark.parametrize("line", [1, 4])
def test_a_file_that_is_not_utf8_names_the_line(tmp_path: Path, name: str, line: int) -> None:
    lines = CSV.encode().splitlines(keepends=True) + [b"3,zo,1,1,1\n"] * 5
    lines[line - 1] = b"\xe9" + lines[line - 1]
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"".join(lines)) if name.endswith("gz") else b"".join(lines))
    with pytest.raises(DataError, match="not UTF-8 text: byte 0xe9") as caught:
        load_file(client(), path, "orders")
    assert str(caught.value.location) == f"{path}:{line}"
