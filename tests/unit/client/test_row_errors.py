"""Why rows have nulls where a function failed, told to the clients that ask, and shown by the shell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from ksqlkit.cli.session import Session
from ksqlkit.client.embedded import EmbeddedClient
from ksqlkit.client.http import DELIMITED, HttpClient
from ksqlkit.client.protocol import Client, RowErrors
from ksqlkit.engine.engine import Engine
from ksqlkit.engine.functions.registry import Registry
from tests.support.rest_server import rest_server

SOURCE = """CREATE STREAM S (K STRING KEY, N INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE TABLE T AS SELECT K, COUNT(*) AS C FROM S GROUP BY K;"""
EARLIEST = {"auto.offset.reset": "earliest"}
REASON = "Error calling PICKY: PICKY has no database; run `fetch`"


class Picky:
    """Refuses odd numbers, each or all for the same reason."""

    def call(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        """As RemoteCall."""
        refusal = LookupError("PICKY has no database; run `fetch`")
        return [LookupError(f"no {n}") if n > 100 else refusal if n % 2 else n for (n,) in rows]


@pytest.fixture
def engine() -> Engine:
    functions = Registry()
    overload = {"args": [{"name": "n", "type": "INT"}], "returns": "INT"}
    functions.register_remote("PICKY", [overload], Picky())
    return Engine(functions=functions)


@pytest.fixture(params=["embedded", "http"])
def client(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Client]:
    if request.param == "embedded":
        yield EmbeddedClient(engine)
        return
    with rest_server(engine) as url:
        made = HttpClient(url)
        yield made
        made.close()


def filled(client: Client, engine: Engine, numbers: Sequence[int] = (1, 2, 3, 4, 5)) -> None:
    client.execute(SOURCE, properties=EARLIEST)
    client.insert("S", [{"K": f"k{n}", "N": n} for n in numbers])
    engine.run_until_idle()


@pytest.mark.parametrize(
    ("sql", "errors"),
    [
        ("SELECT PICKY(N) FROM S EMIT CHANGES LIMIT 5;", RowErrors(3, (REASON,))),
        ("SELECT PICKY(N) FROM S;", RowErrors(3, (REASON,))),
        ("SELECT PICKY(CAST(C AS INT)) FROM T;", RowErrors(5, (REASON,))),
        ("SELECT K FROM T WHERE PICKY(CAST(C AS INT)) = 1;", RowErrors(5, (REASON,))),
        ("SELECT N FROM S;", RowErrors()),
    ],
)
def test_the_count_and_the_reasons_come_with_the_rows(
    client: Client, engine: Engine, sql: str, errors: RowErrors
) -> None:
    filled(client, engine)
    with client.stream(sql, properties=EARLIEST) as rows:
        found = list(rows)
        assert rows.row_errors == errors
    assert len(found) == (0 if "WHERE" in sql else 5)


def test_records_that_cannot_be_read_are_told_and_reasons_are_few(client: Client, engine: Engine) -> None:
    filled(client, engine, range(101, 107))
    engine.produce("s", None, b"{nonsense")
    with client.stream("SELECT PICKY(N) FROM S;") as rows:
        assert len(list(rows)) == 6
        assert rows.row_errors.count == 7
        assert len(rows.row_errors.reasons) == 3


def test_a_push_query_tells_while_no_row_comes(engine: Engine) -> None:
    with rest_server(engine) as url:
        client = HttpClient(url)
        filled(client, engine)
        engine.produce("s", None, b"{nonsense")
        client.insert("S", [{"K": "k", "N": 9}])
        with client.stream("SELECT N FROM S WHERE N = 9 EMIT CHANGES;", properties=EARLIEST) as rows:
            assert next(iter(rows)) == [9]
            engine.produce("s", None, b"{nonsense")
            client.insert("S", [{"K": "k", "N": 9}])
            assert next(iter(rows)) == [9]
            assert rows.row_errors.count >= 1
        client.close()


def test_clients_that_do_not_ask_get_what_ksqldb_sends(engine: Engine) -> None:
    with rest_server(engine) as url:
        client = HttpClient(url)
        filled(client, engine)
        client.close()
        for sql in ("SELECT PICKY(N) FROM S;", "SELECT PICKY(CAST(C AS INT)) FROM T;"):
            answer = httpx.post(f"{url}/query-stream", json={"sql": sql}, headers={"Accept": DELIMITED})
            assert len(answer.text.splitlines()) == 6
            assert "PICKY has" not in answer.text


@pytest.mark.parametrize("as_json", [False, True])
def test_the_shell_tells_on_standard_error(
    client: Client, engine: Engine, capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    filled(client, engine)
    session = Session(client, dict(EARLIEST), json=as_json)
    session.run("SELECT PICKY(N) AS P FROM S EMIT CHANGES LIMIT 5;")
    shown = capsys.readouterr()
    assert "has no database" not in shown.out
    assert f"note: 3 errors in the rows read: {REASON}\n" in shown.err
    session.run("SELECT N FROM S;")
    assert "note" not in capsys.readouterr().err
