"""Generated AVRO code against the plain code: any schema, any value, damaged bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ksqlkit.dialect import types as T
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import SerdeError, avro, avro_read, avro_write, connect
from ksqlkit.engine.serde.avro_codec import make_encoder
from ksqlkit.engine.serde.avro_schema import Node, connect_schema, parse_schema, schema_of_row, schema_of_type
from tests.support.serde_types import ODD_VALUES, columns_of, damaged, kinds, outcome, values

TEXT = st.text(max_size=5) | st.just("x" * 200)
LONGS = st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-70, 70) | st.integers(-(1 << 36), 1 << 36)
PLAIN = ["boolean", "int", "long", "float", "double", "bytes", "string"]
NAMES = st.sampled_from(["A", "a", "b", "B", "c_d"])
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}
TIMES = [{"type": "int", "logicalType": "date"}, {"type": "long", "logicalType": "timestamp-millis"}]
WANTED: list[T.SqlType] = [
    T.BIGINT,
    T.STRING,
    T.DOUBLE,
    T.Decimal(6, 2),
    T.Decimal(4, 2),
    T.Decimal(34, 3),
    T.BYTES,
    T.Array(T.STRING),
]


@st.composite
def schemas(draw: st.DrawFn, depth: int = 3) -> Any:
    """A schema as JSON; names of types are numbered to be unique."""
    kinds = ["plain", "plain", "plain", "logical", "enum", "fixed"]
    kinds += ["record", "array", "map", "entries", "nullable", "nullable", "union"] if depth else []
    inner = schemas(depth - 1) if depth else st.nothing()
    name = f"N{draw(st.integers(0, 10**9))}"
    match draw(st.sampled_from(kinds)):
        case "plain":
            return draw(st.sampled_from(PLAIN))
        case "logical":
            return draw(st.sampled_from([DECIMAL, *TIMES]))
        case "enum":
            return {"type": "enum", "name": name, "symbols": ["X", "Y", "Z"]}
        case "fixed":
            return {"type": "fixed", "name": name, "size": draw(st.integers(0, 3))}
        case "record":
            return draw(records(depth - 1))
        case "array":
            return {"type": "array", "items": draw(inner)}
        case "map":
            return {"type": "map", "values": draw(inner)}
        case "entries":
            key = draw(st.sampled_from(["int", "string", ["null", "string"]]))
            fields = [{"name": "key", "type": key}, {"name": "value", "type": draw(inner)}]
            entry = {"type": "record", "name": name, "connect.internal.type": "MapEntry", "fields": fields}
            return {"type": "array", "items": entry}
        case "nullable":
            one = draw(inner.filter(lambda s: not isinstance(s, list)))
            return draw(st.sampled_from([["null", one], [one, "null"], [one]]))
    several = draw(st.lists(st.sampled_from(PLAIN), min_size=2, max_size=3, unique=True))
    return draw(st.sampled_from([several, ["null", *several]]))


@st.composite
def records(draw: st.DrawFn, depth: int = 3) -> Any:
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    fields = [{"name": n, "type": draw(schemas(depth))} for n in names]
    return {"type": "record", "name": f"R{draw(st.integers(0, 10**9))}", "fields": fields}


def generic(node: Node) -> st.SearchStrategy[Any]:
    """Generic values of a schema."""
    match node.type:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "int":
            return LONGS.map(lambda v: (v & 0xFFFFFFFF) - (1 << 31))
        case "long":
            return LONGS
        case "float":
            return st.floats(width=32)
        case "double":
            return st.floats()
        case "bytes":
            return st.binary(max_size=4)
        case "string":
            return TEXT
        case "fixed":
            return st.binary(min_size=node.size, max_size=node.size)
        case "enum":
            return st.sampled_from(node.symbols)
        case "union":
            return st.one_of(*(generic(child) for child in node.items))
        case "array":
            return st.lists(generic(node.items[0]), max_size=3)
        case "map":
            return st.dictionaries(TEXT, generic(node.items[0]), max_size=3)
    return st.fixed_dictionaries({name: generic(child) for name, child in node.fields})


@st.composite
def columns(draw: st.DrawFn, node: Node) -> T.SqlType:
    """The type that a record reads as, sometimes with a column of another type, one less or one more."""
    try:
        kind = connect.sql_type(connect_schema(node))
    except connect.Unsupported:
        return draw(st.sampled_from(WANTED))
    if not isinstance(kind, T.Struct):
        return draw(st.just(kind) | st.sampled_from(WANTED))
    fields = {name.upper() if draw(st.booleans()) else name: k for name, k in kind.fields}
    if fields and draw(st.integers(0, 3)) == 0:
        fields.pop(draw(st.sampled_from(sorted(fields))))
    if draw(st.integers(0, 3)) == 0:
        fields[draw(NAMES | st.sampled_from(["NEW", "c.d"]))] = draw(st.sampled_from(WANTED))
    return T.Struct(tuple(fields.items()))


def failed(error: Exception) -> SerdeError:
    return SerdeError("bad record", (str(error),))


@settings(max_examples=150, deadline=None)
@given(st.data(), st.booleans())
def test_generated_readers_agree_with_the_plain_one(data: st.DataObject, wrapped: bool) -> None:
    node = parse_schema(json.dumps(data.draw(records() if wrapped else schemas())))
    kind = data.draw(columns(node))
    wrapped = wrapped and isinstance(kind, T.Struct)
    slow = avro.plain_reader(node, kind, wrapped=wrapped, failed=failed)
    fast = avro_read.make_reader(node, kind, wrapped=wrapped, slow=slow)
    for value in data.draw(st.lists(generic(node), min_size=1, max_size=3)):
        try:
            record = b"\x00\x00\x00\x00\x01" + make_encoder(node)(value)
        except (
            TypeError,
            ValueError,
            AttributeError,
        ):  # a union's first branch takes what is meant for another
            continue
        assert outcome(fast, record) == outcome(slow, record)
        record = record[:5] + data.draw(damaged(record[5:]))
        assert outcome(fast, record) == outcome(slow, record)


@settings(max_examples=100, deadline=None)
@given(st.lists(kinds(), min_size=1, max_size=4), st.data())
def test_generated_writers_agree_with_the_plain_one(types: list[T.SqlType], data: st.DataObject) -> None:
    row = columns_of(types)
    wrapped = len(row) > 1 or data.draw(st.booleans())
    schema = schema_of_row([(c.name, c.type) for c in row]) if wrapped else schema_of_type(row[0].type)
    agree_on_rows(schema, row, wrapped, None, data)


@settings(max_examples=100, deadline=None)
@given(records(), st.data())
def test_generated_writers_of_other_schemas_agree_with_the_plain_one(
    schema: Any, data: st.DataObject
) -> None:
    node = parse_schema(json.dumps(schema))
    kind = data.draw(columns(node))
    if not isinstance(kind, T.Struct):
        return
    for field in schema["fields"]:
        defaults = {"int": 7, "string": "d", "boolean": False, "double": 1.5}
        if isinstance(field["type"], str) and field["type"] in defaults and data.draw(st.booleans()):
            field["default"] = defaults[field["type"]]
    agree_on_rows(schema, [Column(n, t) for n, t in kind.fields], True, avro.fill, data)


def agree_on_rows(
    schema: Any, row: Sequence[Column], wrapped: bool, filled: Any, data: st.DataObject
) -> None:
    node = parse_schema(json.dumps(schema))
    prefix = b"\x00\x00\x00\x00\x01"
    slow = avro.plain_writer(node, row, wrapped=wrapped, filled=filled, prefix=prefix, topic="t")
    fast = avro_write.make_writer(node, row, wrapped=wrapped, filled=filled, prefix=prefix, slow=slow)
    given = data.draw(st.tuples(*(values(c.type) for c in row)))
    assert outcome(fast, given) == outcome(slow, given)
    known = [i for i, c in enumerate(row) if not wrapped or c.name.replace(".", "_") in dict(node.fields)]
    if known:  # what the schema lacks is not looked at
        at = data.draw(st.sampled_from(known))
        odd = (*given[:at], data.draw(ODD_VALUES), *given[at + 1 :])
        assert outcome(fast, odd) == outcome(slow, odd)
