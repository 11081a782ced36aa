"""Answers as application/vnd.ksql.v1+protobuf: bytes as a server wrote them."""

from __future__ import annotations

import json

from ksqlkit.dialect import types as T
from ksqlkit.engine.rest.messages import PROTOBUF
from ksqlkit.engine.rest.rows import make_framing
from ksqlkit.engine.results import QueryColumn, Tombstone

COLUMNS = (QueryColumn("CUSTOMER", T.STRING, key=True), QueryColumn("N", T.BIGINT))


def test_an_answer_is_the_servers() -> None:
    framing = make_framing(PROTOBUF, "query_1", COLUMNS, open_ended=False)
    sent = framing.header() + framing.rows([("bob", 2), ("alice", 3)]) + framing.end(None)
    assert sent == (
        b'[{"header":{"queryId":"query_1","schema":"`CUSTOMER` STRING KEY, `N` BIGINT","protoSchema":'
        b'"syntax = \\"proto3\\";\\n\\nmessage ConnectDefault1 {\\n  string CUSTOMER = 1;\\n  int64 N = 2;\\n}\\n"}},'
        b'\n{"row":{"protobufBytes":"CgNib2IQAg=="}},\n{"row":{"protobufBytes":"CgVhbGljZRAD"}}]'
    )


def test_tombstones_and_the_final_message() -> None:
    framing = make_framing(PROTOBUF, "q", COLUMNS, open_ended=False)
    sent = framing.header() + framing.rows([Tombstone(("bob", None))]) + framing.end("Query Completed")
    _, row, last = json.loads(sent)
    assert row == {"row": {"protobufBytes": "CgNib2I=", "tombstone": True}}
    assert last == {"finalMessage": "Query Completed"}
