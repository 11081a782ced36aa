"""Parts of the HTTP edge without a server: values, rows, entities, the manifest's copy."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ksqlkit.dialect import types as T
from ksqlkit.engine.rest.entities import json_name, schema
from ksqlkit.engine.rest.json_values import column_name, reader
from ksqlkit.engine.rest.messages import DELIMITED, JSON, V1
from ksqlkit.engine.rest.open import RememberingTransport
from ksqlkit.engine.rest.rows import make_framing
from ksqlkit.engine.results import QueryColumn, Tombstone
from ksqlkit.engine.statements.values import Misfit
from ksqlkit.scoring.transport import NoReply, Reply

POINT = T.Struct((("X", T.INTEGER), ("Y", T.STRING)))
COLUMNS = (QueryColumn("K", T.STRING, key=True), QueryColumn("N", T.BIGINT))


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (T.BOOLEAN, True, True),
        (T.INTEGER, -(2**31), -(2**31)),
        (T.BIGINT, 2**63 - 1, 2**63 - 1),
        (T.DOUBLE, 2, 2.0),
        (T.STRING, "x", "x"),
        (T.BYTES, "AQI=", b"\x01\x02"),
        (T.DATE, "1970-01-02", 1),
        (T.TIME, "00:00:01", 1000),
        (T.TIMESTAMP, "1970-01-01T00:00:01.5", 1500),
        (T.Decimal(6, 2), "1.5", Decimal("1.50")),
        (T.Decimal(6, 2), 1.25, Decimal("1.25")),
        (T.Array(T.INTEGER), [1, None], [1, None]),
        (T.Map(T.STRING, T.DOUBLE), {"a": 1}, {"a": 1.0}),
        (POINT, {"x": 1, "`z`": 2}, {"X": 1, "Y": None}),
    ],
)
def test_values_that_fit(kind: T.SqlType, given: Any, value: Any) -> None:
    found = reader(kind)(given)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (T.BOOLEAN, 1),
        (T.INTEGER, True),
        (T.INTEGER, 2**31),
        (T.BIGINT, 1.0),
        (T.DOUBLE, "1"),
        (T.STRING, 5),
        (T.BYTES, "*"),
        (T.DATE, "yesterday"),
        (T.Decimal(6, 2), "much"),
        (T.Array(T.INTEGER), {"a": 1}),
        (T.Array(T.INTEGER), ["a"]),
        (POINT, [1]),
    ],
)
def test_values_that_do_not_fit(kind: T.SqlType, given: Any) -> None:
    with pytest.raises(Misfit):
        reader(kind)(given)


@pytest.mark.parametrize(("name", "column"), [("id", "ID"), ("`id`", "id"), ('"id"', "id"), ("`", "`")])
def test_names_of_members(name: str, column: str) -> None:
    assert column_name(name) == column


@pytest.mark.parametrize(
    ("kind", "open_ended", "text"),
    [
        (
            DELIMITED,
            True,
            '{"queryId":"q","columnNames":["K","N"],"columnTypes":["STRING","BIGINT"]}\n["a",1]\n["b",null]\n',
        ),
        (
            JSON,
            True,
            '[{"queryId":"q","columnNames":["K","N"],"columnTypes":["STRING","BIGINT"]},["a",1],["b",null]]',
        ),
        (
            V1,
            False,
            '[{"header":{"queryId":"q","schema":"`K` STRING KEY, `N` BIGINT"}},\n{"row":{"columns":["a",1]}},\n'
            '{"row":{"columns":["b",null],"tombstone":true}}]',
        ),
        (
            V1,
            True,
            '[{"header":{"queryId":"q","schema":"`K` STRING KEY, `N` BIGINT"}},\n{"row":{"columns":["a",1]}},\n'
            '{"row":{"columns":["b",null],"tombstone":true}},\n{"finalMessage":"Limit Reached"}]',
        ),
    ],
)
def test_framings(kind: str, open_ended: bool, text: str) -> None:
    framing = make_framing(kind, "q", COLUMNS, open_ended=open_ended)
    parts = [framing.header(), framing.rows([("a", 1)]), framing.rows([Tombstone(("b", None))])]
    assert b"".join([*parts, framing.end("Limit Reached" if open_ended else None)]).decode() == text


def test_types_of_entities() -> None:
    nested = schema(T.Array(T.Struct((("A", T.Decimal(4, 1)),))))
    assert nested["memberSchema"]["fields"][0]["schema"]["parameters"] == {"precision": 4, "scale": 1}
    assert json_name("command_sequence_number") == "commandSequenceNumber"


class _Server:
    """A transport whose server is up or not."""

    def __init__(self, body: bytes | None) -> None:
        self.body = body

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        if self.body is None:
            raise NoReply("down")
        return Reply(200, {"etag": "1"}, self.body)

    def close(self) -> None:
        return


def ask(transport: RememberingTransport, path: str = "/v1/functions") -> bytes:
    return transport.send("GET", path, b"", {}, 1.0).body


def test_the_manifest_is_kept_and_given_once(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with pytest.raises(NoReply):
        ask(RememberingTransport(_Server(None), copy))
    assert ask(RememberingTransport(_Server(b"first"), copy)) == b"first"
    assert ask(RememberingTransport(_Server(b"second"), copy)) == b"second"
    down = RememberingTransport(_Server(None), copy)
    assert ask(down) == b"second"
    with pytest.raises(NoReply):  # from then on a server that is down is down
        ask(down)
    with pytest.raises(NoReply):
        ask(RememberingTransport(_Server(None), copy), "/v1/call")
