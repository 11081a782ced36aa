"""Generated PROTOBUF code against the plain code: any columns, any value, fields in any order, damaged bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ksqlkit.dialect import types as T
from ksqlkit.engine.serde import protobuf, protobuf_read, protobuf_write
from ksqlkit.engine.serde.proto_schema import parse_proto
from ksqlkit.engine.serde.protobuf_sr import choose_message, message_layout
from ksqlkit.engine.serde.protobuf_wire import Layout, varint
from tests.support.serde_cases import columns_of as columns_in
from tests.support.serde_types import ODD_VALUES, columns_of, damaged, kinds, outcome, values

FOREIGN = """
message Order {
  enum Suit { SPADES = 0; HEARTS = 1; }
  message Line { sint32 count = 1; float price = 2; map<string, sint64> tags = 3; }
  uint32 id = 1; Suit suit = 2; repeated Line lines = 3; google.protobuf.Int64Value total = 4;
  oneof pick { string left = 6; fixed32 right = 7; Line line = 10; }
  optional bool flag = 8; repeated fixed64 marks = 9; repeated sint64 deltas = 16; repeated double rates = 300;
  int32 whole = 17; string name = 18; repeated string names = 19; google.protobuf.Timestamp time = 20;
}
"""
COLUMNS = columns_in(
    "PICK_0 STRUCT<`LEFT` STRING, `RIGHT` BIGINT>, ID BIGINT, SUIT STRING, "
    "LINES ARRAY<STRUCT<COUNT INT, PRICE DOUBLE, TAGS MAP<STRING, BIGINT>>>, TOTAL STRING, FLAG BOOLEAN, "
    "MARKS ARRAY<BIGINT>, DELTAS ARRAY<BIGINT>, RATES ARRAY<DOUBLE>, WHOLE BIGINT, NAME STRING, NAMES ARRAY<STRING>, "
    "`TIME` TIMESTAMP, NEW INT"
)
NUMBERS = st.sampled_from([1, 2, 3, 4, 6, 7, 8, 9, 10, 16, 17, 18, 19, 20, 300, 21])
VARINTS = st.integers(0, 200) | st.integers(0, (1 << 64) - 1)


@st.composite
def fields(draw: st.DrawFn, depth: int = 2) -> bytes:
    """Some fields, of any wire type whatever the schema says."""
    out = b""
    for number in draw(st.lists(NUMBERS | st.integers(1, 3), max_size=5)):
        wire = draw(st.sampled_from([0, 0, 1, 2, 2, 2, 5]))
        out += varint(number << 3 | wire)
        if wire == 0:
            out += varint(draw(VARINTS))
        elif wire == 2:
            inner = fields(depth - 1) if depth else st.just(b"")
            payload = draw(
                inner | st.binary(max_size=9) | st.lists(VARINTS).map(lambda v: b"".join(map(varint, v)))
            )
            out += varint(len(payload)) + payload
        else:
            out += struct.pack("<d" if wire == 1 else "<f", draw(st.floats(width=32)))
    return out


def agree_on_record(layout: Layout, record: bytes, data: st.DataObject) -> None:
    slow = protobuf.plain_reader(layout, "t")
    fast = protobuf_read.make_reader(layout, 2, slow)
    for changed in (record, data.draw(damaged(record))):
        assert outcome(lambda b: fast(b, 2), b"xx" + changed) == outcome(
            lambda b: slow(b, 2), b"xx" + changed
        )


@settings(max_examples=100, deadline=None)
@given(st.lists(kinds(), min_size=1, max_size=4), st.sampled_from(["", "OPTIONAL", "WRAPPER"]), st.data())
def test_generated_readers_agree_with_the_plain_one(
    types: list[T.SqlType], nullable: str, data: st.DataObject
) -> None:
    layout = protobuf.make_layout([(c.name, c.type) for c in columns_of(types)], nullable)
    try:
        record = layout.write(data.draw(st.tuples(*(values(t) for t in types))))
    except (ValueError, OverflowError, TypeError, AttributeError):
        return  # a null where a list cannot have one
    agree_on_record(layout, record, data)
    agree_on_record(layout, data.draw(fields()) + record, data)


@settings(max_examples=100, deadline=None)
@given(fields(), st.sets(st.integers(0, len(COLUMNS) - 1)), st.data())
def test_generated_readers_of_other_schemas_agree_with_the_plain_one(
    record: bytes, left_out: set[int], data: st.DataObject
) -> None:
    wanted: list[Any] = [(c.name, c.type) for i, c in enumerate(COLUMNS) if i not in left_out]
    agree_on_record(message_layout(choose_message(parse_proto(FOREIGN), [0]), wanted, ""), record, data)


def agree_on_row(layout: Layout, types: Sequence[T.SqlType], wrapped: bool, data: st.DataObject) -> None:
    slow = protobuf.plain_writer(b"xx", layout, "t", wrapped=wrapped)
    fast = protobuf_write.make_writer(layout, prefix=b"xx", wrapped=wrapped, slow=slow)
    row = data.draw(st.tuples(*(values(t) for t in types)))
    assert outcome(fast, row) == outcome(slow, row)
    known = [
        i for i, place in enumerate(layout.places) if place is not None and isinstance(types[i], T.Primitive)
    ]
    if known:
        at = data.draw(st.sampled_from(known))
        odd = (*row[:at], data.draw(ODD_VALUES), *row[at + 1 :])
        assert outcome(fast, odd) == outcome(slow, odd)


@settings(max_examples=100, deadline=None)
@given(st.lists(kinds(), min_size=1, max_size=4), st.sampled_from(["", "OPTIONAL", "WRAPPER"]), st.data())
def test_generated_writers_agree_with_the_plain_one(
    types: list[T.SqlType], nullable: str, data: st.DataObject
) -> None:
    layout = protobuf.make_layout([(c.name, c.type) for c in columns_of(types)], nullable)
    agree_on_row(layout, types, len(types) > 1 or data.draw(st.booleans()), data)


@settings(max_examples=100, deadline=None)
@given(st.sets(st.integers(0, len(COLUMNS) - 1)), st.data())
def test_generated_writers_of_other_schemas_agree_with_the_plain_one(
    left_out: set[int], data: st.DataObject
) -> None:
    wanted: list[Any] = [(c.name, c.type) for i, c in enumerate(COLUMNS) if i not in left_out]
    layout = message_layout(choose_message(parse_proto(FOREIGN), [0]), wanted, "")
    agree_on_row(layout, [t for _, t in wanted], True, data)
