"""The fast JSON reader against the slow exact one, and every format against itself."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ksqlkit.dialect import types as T
from ksqlkit.engine.catalog import Format
from ksqlkit.engine.java_numbers import double_to_string
from ksqlkit.engine.serde import SerdeError, make_deserializer, make_serializer
from ksqlkit.engine.serde.csv_text import make_quoter, split_record
from ksqlkit.engine.serde.json_exact import convert, parse, read
from tests.support.serde_types import NAMES, TEXT, columns_of, kinds, outcome, values

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
    | st.sampled_from(["1", "-7", "1.5", "aGk=", "true", "NaN", " 1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXT, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(kinds(), min_size=1, max_size=4), st.data())
def test_json_reads_what_it_wrote(types: list[T.SqlType], data: st.DataObject) -> None:
    columns = columns_of(types)
    row = data.draw(st.tuples(*(values(t) for t in types)))
    written = make_serializer(Format("JSON"), columns, is_key=False)(row)
    assert written is not None
    assert repr(in_order(make_deserializer(Format("JSON"), columns, is_key=False)(written))) == repr(
        in_order(row)
    )
    assert list(json.loads(written)) == [c.name for c in columns]


def in_order(value: Any) -> Any:
    """The value with maps sorted, for maps come back in another order."""
    if isinstance(value, dict):
        return {k: in_order(value[k]) for k in sorted(value)}
    if isinstance(value, list | tuple):
        return [in_order(v) for v in value]
    return value


@settings(max_examples=200, deadline=None)
@given(st.lists(kinds(), min_size=1, max_size=4), st.data())
def test_the_fast_reader_agrees_with_the_exact_one(types: list[T.SqlType], data: st.DataObject) -> None:
    columns = columns_of(types)
    record = data.draw(
        st.fixed_dictionaries({}, optional=dict.fromkeys(("A", "a", "b", "B", "c", "d", "x"), ANY_JSON))
        | ANY_JSON
    )
    text = json.dumps(record).encode()
    kind = T.Struct(tuple((c.name, c.type) for c in columns))
    fast = make_deserializer(Format("JSON"), columns, is_key=False, topic="t")
    assert outcome(fast, text) == outcome(lambda data: as_row(read(data, kind, "value from topic: t")), text)


def as_row(struct: dict[str, Any] | None) -> tuple[Any, ...] | None:
    return None if struct is None else tuple(struct.values())


@given(st.floats())
def test_doubles_print_as_in_java(number: float) -> None:
    written = make_serializer(Format("JSON"), columns_of([T.DOUBLE]), is_key=False)([number])
    assert written is not None
    assert written.decode().strip('{"A:}') == double_to_string(number)


@given(st.binary(max_size=20))
def test_any_bytes_read_or_fail_cleanly(data: bytes) -> None:
    for name in ("JSON", "DELIMITED"):
        read_any = make_deserializer(Format(name), columns_of([T.INTEGER, T.STRING]), is_key=False)
        try:
            read_any(data)
        except SerdeError:
            continue


@given(st.lists(TEXT, min_size=1, max_size=4), st.sampled_from([",", "\t", " ", "|", "x"]))
def test_delimited_text_comes_back(cells: list[str], delimiter: str) -> None:
    quoters = [make_quoter(delimiter, first=True), make_quoter(delimiter, first=False)]
    line = delimiter.join(quoters[i > 0](cell) for i, cell in enumerate(cells))
    assert split_record(line, delimiter) == cells


@given(TEXT)
def test_json_text_of_a_string_parses(text: str) -> None:
    written = make_serializer(Format("JSON"), columns_of([T.STRING]), is_key=False)([text])
    assert written is not None
    assert convert(parse(written), T.Struct((("A", T.STRING),)), "$") == {"A": text}


@given(st.integers(0, 10**18), st.integers(-25, 5), st.booleans())
def test_decimals_in_json_lose_no_digit(digits: int, exponent: int, negative: bool) -> None:
    text = f"{'-' * negative}{Decimal(digits).scaleb(exponent):f}"
    read_decimal = make_deserializer(Format("JSON"), columns_of([T.Decimal(38, 20)]), is_key=False)
    try:
        row = read_decimal(b'{"A":%s}' % text.encode())
    except SerdeError:
        assert exponent < -20 or digits >= 10**13
    else:
        assert row is not None
        assert row[0] == Decimal(text)
