"""COUNT, SUM, MIN, MAX, AVG and SUM_LIST."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from ksqlkit.dialect import types as T
from ksqlkit.engine.functions.define import Aggregation, Family
from ksqlkit.engine.functions.utf16 import units
from ksqlkit.engine.java_numbers import wrap_int, wrap_long
from ksqlkit.errors import DataError

basic = Family("AGGREGATE")


def _wrap(kind: T.SqlType) -> Callable[[Any], Any]:
    """How a sum of a type overflows."""
    return wrap_int if kind == T.INTEGER else wrap_long if kind == T.BIGINT else lambda v: v


@basic.aggregate("COUNT(T val1) -> BIGINT", about="How many rows a group has.")
def count(types: Sequence[T.SqlType], _constants: Sequence[Any]) -> Aggregation:
    """How many rows a group has."""
    if not types:
        return Aggregation(
            init=int,
            add=lambda state: state + 1,
            remove=lambda state: state - 1,
            merge=lambda a, b: a + b,
            inline_add="{state} + 1",
        )
    return Aggregation(
        init=int,
        add=lambda state, v: state if v is None else state + 1,
        remove=lambda state, v: state if v is None else state - 1,
        merge=lambda a, b: a + b,
        inline_add="({state} if {0} is None else {state} + 1)",
    )


@basic.aggregate(
    "SUM(DOUBLE val1) -> DOUBLE",
    "SUM(INT val1) -> INT",
    "SUM(BIGINT val1) -> BIGINT",
    about="The sum of a group's values.",
)
@basic.aggregate(
    "SUM(DECIMAL val1) -> DECIMAL",
    about="The sum of a group's decimals, with their precision and scale.",
)
def sum_(types: Sequence[T.SqlType], _constants: Sequence[Any]) -> Aggregation:
    """The sum of a group's values."""
    kind = types[0]
    if isinstance(kind, T.Decimal):
        return _decimal_sum(kind)
    if kind == T.DOUBLE:
        return Aggregation(
            init=float,
            add=lambda state, v: state if v is None else state + v,
            remove=lambda state, v: state if v is None else state - v,
            merge=lambda a, b: a + b,
            inline_add="({state} if {0} is None else {state} + {0})",
        )
    wrap = wrap_int if kind == T.INTEGER else wrap_long
    half, mask = (0x80000000, 0xFFFFFFFF) if kind == T.INTEGER else (1 << 63, (1 << 64) - 1)
    return Aggregation(
        init=int,
        add=lambda state, v: state if v is None else wrap(state + v),
        remove=lambda state, v: state if v is None else wrap(state - v),
        merge=lambda a, b: wrap(a + b),
        inline_add=f"({{state}} if {{0}} is None else ({{state}} + {{0}} + {half} & {mask}) - {half})",
    )


def _decimal_sum(kind: T.Decimal) -> Aggregation:
    context = Context(prec=kind.precision, rounding=ROUND_HALF_UP)
    limit = Decimal(10) ** (kind.precision - kind.scale)

    def add(state: Decimal, v: Decimal | None) -> Decimal:
        if v is None:
            return state
        total = context.add(state, v)
        if abs(total) >= limit:
            raise DataError(
                f"Numeric field overflow: A field with precision {kind.precision} and scale {kind.scale} "
                f"must round to an absolute value less than 10^{kind.precision - kind.scale}. Got {total:f}"
            )
        return total

    return Aggregation(
        init=lambda: Decimal(0),
        add=add,
        remove=lambda state, v: state if v is None else context.subtract(state, v),
        merge=context.add,
        returns=kind,
    )


_COMPARABLE = (
    ("DECIMAL", "a decimal"),
    ("DOUBLE", "a double"),
    ("INT", "an integer"),
    ("BIGINT", "a long"),
    ("DATE", "a date"),
    ("TIME", "a time"),
    ("TIMESTAMP", "a timestamp"),
    ("VARCHAR", "a string"),
    ("BYTES", "a bytes"),
)


def java_key(kind: T.SqlType) -> Any:
    """A sort key for values of a type in Java's order, None where Python's own is the same."""
    if kind == T.STRING:
        return units
    if kind == T.BYTES:
        return lambda v: bytes(b ^ 0x80 for b in v)  # Java's bytes are signed
    if kind == T.DOUBLE:
        return double_key
    return None


def double_key(value: float) -> tuple[bool, float, bool]:
    """Sort key of a double as Double.compareTo orders: -0.0 before 0.0, NaN last."""
    if value != value:
        return (True, 0.0, True)
    return (False, value, value != 0 or str(value)[0] != "-")


def _extreme(types: Sequence[T.SqlType], sign: str) -> Aggregation:
    kind = types[0]
    key = java_key(kind)

    def add(state: Any, v: Any) -> Any:
        if v is None:
            return state
        if state is None:
            return v
        a, b = (key(v), key(state)) if key else (v, state)
        return (v if a > b else state) if sign == ">" else (state if a > b else v)

    inline = None
    if key is None:
        keep = f"{{0}} is None or ({{state}} is not None and not {{0}} {sign} {{state}})"
        inline = f"({{state}} if {keep} else {{0}})"
    return Aggregation(
        init=lambda: None, add=add, merge=lambda a, b: add(b, a), inline_add=inline, returns=kind
    )


def _min(types: Sequence[T.SqlType], _constants: Sequence[Any]) -> Aggregation:
    """The smallest value of a group."""
    return _extreme(types, "<")


def _max(types: Sequence[T.SqlType], _constants: Sequence[Any]) -> Aggregation:
    """The largest value of a group."""
    return _extreme(types, ">")


for _type, _words in _COMPARABLE:
    basic.aggregate(f"MIN({_type} val1) -> {_type}", about=f"The smallest of {_words} column.")(_min)
    basic.aggregate(f"MAX({_type} val1) -> {_type}", about=f"The largest of {_words} column.")(_max)


@basic.aggregate("AVG(DOUBLE val1) -> DOUBLE", about="Average of a DOUBLE column.")
@basic.aggregate("AVG(INT val1) -> DOUBLE", about="Average of an INT column.")
@basic.aggregate("AVG(BIGINT val1) -> DOUBLE", about="Average of a BIGINT column.")
def avg(types: Sequence[T.SqlType], _constants: Sequence[Any]) -> Aggregation:
    """The average of a column: its sum divided by its count. The sum of whole numbers wraps as SUM does."""
    wrap = _wrap(types[0])

    def moved(state: list[Any], v: Any, by: int) -> list[Any]:
        return state if v is None else [wrap(state[0] + by * v), state[1] + by]

    return Aggregation(
        init=lambda: [0.0 if types[0] == T.DOUBLE else 0, 0],
        add=lambda state, v: moved(state, v, 1),
        remove=lambda state, v: moved(state, v, -1),
        merge=lambda a, b: [wrap(a[0] + b[0]), a[1] + b[1]],
        result=lambda state: state[0] / state[1] if state[1] else 0.0,
    )


@basic.aggregate("SUM_LIST(ARRAY<DOUBLE> val1) -> DOUBLE", about="Sums lists of doubles.")
@basic.aggregate("SUM_LIST(ARRAY<INT> val1) -> INT", about="Sums lists of integers.")
@basic.aggregate("SUM_LIST(ARRAY<BIGINT> val1) -> BIGINT", about="Sums lists of longs.")
def sum_list(types: Sequence[T.SqlType], _constants: Sequence[Any]) -> Aggregation:
    """The sum of the elements of arrays, over all rows of a key."""
    kind = types[0].item if isinstance(types[0], T.Array) else T.DOUBLE
    wrap = _wrap(kind)
    zero: Any = 0.0 if kind == T.DOUBLE else 0

    def total(values: Sequence[Any]) -> Any:
        found = zero
        for v in values:
            found = found if v is None else wrap(found + v)
        return found

    return Aggregation(
        init=lambda: zero,
        add=lambda state, v: state if v is None else wrap(state + total(v)),
        remove=lambda state, v: state if v is None else wrap(state - total(v)),
        merge=lambda a, b: wrap(a + b),
    )
