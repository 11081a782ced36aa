"""One suite, two clients: the embedded one, and HTTP against our server. Both answer the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ksqlkit.client.embedded import EmbeddedClient
from ksqlkit.client.http import HttpClient
from ksqlkit.client.protocol import Client, TopicRecord
from ksqlkit.engine.engine import Engine
from ksqlkit.errors import DataError, StatementError
from tests.support.rest_server import rest_server

SOURCE = (
    "CREATE STREAM s (k VARCHAR KEY, n INT, price DECIMAL(8,2), day DATE, tags ARRAY<VARCHAR>, pos STRUCT<x DOUBLE>) "
    "WITH (KAFKA_TOPIC='s', PARTITIONS=1, VALUE_FORMAT='JSON');"
)
TABLE = "CREATE TABLE t AS SELECT k, COUNT(*) AS c FROM s GROUP BY k;"
EARLIEST = {"auto.offset.reset": "earliest"}
ROWS: list[dict[str, Any]] = [
    {"k": "a", "n": 1, "price": "1.5", "day": "2024-02-29", "tags": ["x", None], "pos": {"x": 2}},
    {"K": "b", "N": 2},
    {"`K`": "a", "unknown": 1},
]


@dataclass
class Case:
    client: Client
    settle: Callable[[], object]  # until all queries have done what there is to do


@pytest.fixture(params=["embedded", "http"])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    if request.param == "embedded":
        embedded = EmbeddedClient.open()
        yield Case(embedded, embedded.engine.run_until_idle)
        embedded.close()
        return
    engine = Engine()
    with rest_server(engine) as url:
        client = HttpClient(url)
        yield Case(client, engine.run_until_idle)
        client.close()


def test_info(case: Case) -> None:
    info = case.client.info()
    assert info["version"] == "7.9.1"
    assert info["serverStatus"] == "RUNNING"


def test_statements_answer_entities(case: Case) -> None:
    created = case.client.execute(SOURCE + TABLE, properties=EARLIEST)
    assert [e["@type"] for e in created] == ["currentStatus"] * 2
    assert created[1]["commandStatus"] == {
        "status": "SUCCESS",
        "message": "Created query with ID CTAS_T_1",
        "queryId": "CTAS_T_1",
    }
    (described,) = case.client.execute("DESCRIBE ${name};", variables={"name": "s"})
    fields = {f["name"]: f for f in described["sourceDescription"]["fields"]}
    assert fields["K"]["type"] == "KEY"
    assert fields["PRICE"]["schema"]["parameters"] == {"precision": 8, "scale": 2}
    assert fields["POS"]["schema"]["fields"][0]["name"] == "X"


def test_rows_in_and_out(case: Case) -> None:
    case.client.execute(SOURCE + TABLE, properties=EARLIEST)
    assert case.client.insert("s", ROWS) == 3
    case.settle()
    found = case.client.query("SELECT * FROM s;")
    assert found.columns == ["K", "N", "PRICE", "DAY", "TAGS", "POS"]
    assert found.types[2] == "DECIMAL(8, 2)"
    assert found.rows[0] == ["a", 1, 1.5, "2024-02-29", ["x", None], {"X": 2.0}]
    assert found.rows[1:] == [["b", 2, None, None, None, None], ["a", None, None, None, None, None]]
    assert case.client.query("SELECT c FROM t WHERE k = 'a';").dicts() == [{"C": 2}]


def test_records(case: Case) -> None:
    case.client.execute(SOURCE)
    records = [TopicRecord(b'{"N":%d}' % n, b"k", timestamp=1000 + n) for n in range(7)]
    assert case.client.produce("s", [*records, TopicRecord(None)]) == 8
    rows = case.client.query("SELECT k, n, ROWTIME FROM s;").rows
    assert rows == [["k", n, 1000 + n] for n in range(7)]
    lines = list(case.client.lines("PRINT s FROM BEGINNING LIMIT 2;"))
    assert lines[0] == 'rowtime: 1970/01/01 00:00:01.000 Z, key: k, value: {"N":0}, partition: 0'
    assert len(lines) == 2


def test_a_running_query(case: Case) -> None:
    case.client.execute(SOURCE)
    case.client.insert("s", ROWS)
    with case.client.stream("SELECT k FROM s EMIT CHANGES LIMIT 2;", properties=EARLIEST) as rows:
        assert rows.header.query_id.startswith("transient_S_")
        assert list(rows) == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SHOW STREMS;", "line 1:6: Syntax Error"),
        ("DESCRIBE nope;", "Could not find STREAM/TABLE 'NOPE' in the Metastore"),
        ("SELECT * FROM s;", "The following statement types should be issued to the websocket endpoint"),
    ],
)
def test_refused_statements(case: Case, sql: str, message: str) -> None:
    case.client.execute(SOURCE)
    with pytest.raises(StatementError) as refusal:
        case.client.execute(sql)
    assert refusal.value.message.startswith(message)
    assert refusal.value.status == 400


def test_refused_queries(case: Case) -> None:
    with pytest.raises(StatementError, match="NOPE does not exist"):
        case.client.query("SELECT * FROM nope;")
    with pytest.raises(StatementError, match="Syntax Error") as refusal:
        case.client.query("SELECT FROM nope;")
    assert refusal.value.location is not None
    assert (refusal.value.location.line, refusal.value.location.column) == (1, 8)


def test_a_bad_row_is_named_and_those_before_it_are_in(case: Case) -> None:
    case.client.execute(SOURCE)
    with pytest.raises(DataError, match="Row 2 for s was refused: Can't coerce") as refusal:
        case.client.insert("s", [{"k": "a"}, {"k": "b", "n": "many"}, {"k": "c"}])
    assert refusal.value.hint == "The 1 rows before it are in."
    assert case.client.query("SELECT k FROM s;").rows == [["a"]]


def test_unknown_targets(case: Case) -> None:
    with pytest.raises(StatementError, match="unknown stream/table: `NOPE`"):
        case.client.insert("nope", [{"a": 1}])
    with pytest.raises(StatementError, match="Topic 'nope' not found"):
        case.client.produce("nope", [TopicRecord(b"x")])


def test_many_rows(case: Case) -> None:
    case.client.execute(SOURCE)
    assert case.client.insert("s", ({"k": str(n), "n": n} for n in range(12_000))) == 12_000
    rows = case.client.query("SELECT n FROM s;").rows
    assert rows == [[n] for n in range(12_000)]
