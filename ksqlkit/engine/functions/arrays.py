"""Array functions. Positions count from 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.functions.agg_basic import java_key
from ksqlkit.engine.functions.contract import ArgType
from ksqlkit.engine.functions.define import Family
from ksqlkit.engine.java_numbers import double_to_string, wrap_int, wrap_long
from ksqlkit.errors import DataError

arrays = Family("ARRAY")

_MOST: Final = 1_000_000  # a server must survive GENERATE_SERIES(0, 9223372036854775807)
_JOINABLE: Final = (T.BOOLEAN, T.INTEGER, T.BIGINT, T.DOUBLE, T.STRING)


def same(value: Any) -> Any:
    """A hashable stand-in for a value: equal exactly where Java's equals says so (1.0 is not 1.00)."""
    if isinstance(value, Decimal):
        return (value, value.as_tuple().exponent)
    if isinstance(value, float):
        return double_to_string(value)
    if isinstance(value, list):
        return tuple(same(v) for v in value)
    if isinstance(value, dict):
        return frozenset((k, same(v)) for k, v in value.items())
    return value


@arrays.scalar("ARRAY_LENGTH(ARRAY<T> array) -> INT", inline="len({0})")
def array_length(values: Sequence[Any]) -> int:
    """The number of elements."""
    return len(values)


@arrays.scalar("ARRAY_CONTAINS(ARRAY<T> array, T val) -> BOOLEAN", sees_null=True)
def array_contains(values: Sequence[Any] | None, value: Any) -> bool:
    """Whether the array has an element that equals the value."""
    return values is not None and same(value) in map(same, values)


@arrays.scalar("ARRAY_CONCAT(ARRAY<T> left, ARRAY<T> right) -> ARRAY<T>", sees_null=True)
def array_concat(left: list[Any] | None, right: list[Any] | None) -> list[Any] | None:
    """The elements of both arrays; a NULL array counts as empty if the other is not NULL."""
    return None if left is None and right is None else [*(left or ()), *(right or ())]


@arrays.scalar("ARRAY_DISTINCT(ARRAY<T> input) -> ARRAY<T>")
def array_distinct(values: Sequence[Any]) -> list[Any]:
    """The distinct elements, in the order they first occur."""
    seen: dict[Any, Any] = {}
    for value in values:
        seen.setdefault(same(value), value)
    return list(seen.values())


@arrays.scalar("ARRAY_EXCEPT(ARRAY<T> left, ARRAY<T> right) -> ARRAY<T>")
def array_except(left: Sequence[Any], right: Sequence[Any]) -> list[Any]:
    """The distinct elements of the first array that the second does not have."""
    banned = set(map(same, right))
    return [v for v in array_distinct(left) if same(v) not in banned]


@arrays.scalar("ARRAY_INTERSECT(ARRAY<T> left, ARRAY<T> right) -> ARRAY<T>")
def array_intersect(left: Sequence[Any], right: Sequence[Any]) -> list[Any]:
    """The distinct elements that both arrays have, in the order of the first."""
    wanted = set(map(same, right))
    return [v for v in array_distinct(left) if same(v) in wanted]


@arrays.scalar("ARRAY_UNION(ARRAY<T> left, ARRAY<T> right) -> ARRAY<T>")
def array_union(left: Sequence[Any], right: Sequence[Any]) -> list[Any]:
    """The distinct elements of both arrays."""
    return array_distinct([*left, *right])


@arrays.scalar("ARRAY_REMOVE(ARRAY<T> array, T victim) -> ARRAY<T>", sees_null=True)
def array_remove(values: Sequence[Any] | None, victim: Any) -> list[Any] | None:
    """The array without the elements that equal a value."""
    if values is None:
        return None
    out = same(victim)
    return [v for v in values if same(v) != out]


def _extreme(pick: Callable[..., Any]) -> Callable[[Sequence[ArgType]], Callable[..., Any]]:
    def make(args: Sequence[ArgType]) -> Callable[..., Any]:
        key = _item_key(args[0])

        def find(values: Sequence[Any]) -> Any:
            kept = [v for v in values if v is not None]
            return pick(kept, key=key) if kept else None

        return find

    return make


def _item_key(kind: ArgType) -> Any:
    """Sort key of an array's elements. Raises DataError later, for types Java cannot compare."""
    item = kind.item if isinstance(kind, T.Array) else None
    if isinstance(item, T.Array | T.Map | T.Struct):

        def refuse(_: Any) -> Any:
            raise DataError(f"Values of {item} have no order.")

        return refuse
    return java_key(item) if item else None


@arrays.scalar("ARRAY_MAX(ARRAY<T> input) -> T", typed=True)
def array_max(args: Sequence[ArgType]) -> Callable[..., Any]:
    """The largest element that is not NULL."""
    return _extreme(max)(args)


@arrays.scalar("ARRAY_MIN(ARRAY<T> input) -> T", typed=True)
def array_min(args: Sequence[ArgType]) -> Callable[..., Any]:
    """The smallest element that is not NULL."""
    return _extreme(min)(args)


@arrays.scalar(
    "ARRAY_SORT(ARRAY<T> input) -> ARRAY<T>",
    "ARRAY_SORT(ARRAY<T> input, VARCHAR direction) -> ARRAY<T>",
    typed=True,
    notes={"input": "What to put in order", "direction": "ASC or DESC; ascending if left out"},
)
def array_sort(args: Sequence[ArgType]) -> Callable[..., Any]:
    """An array's values in order, NULLs last."""
    key = _item_key(args[0])

    def sort(values: Sequence[Any], direction: str = "ASC") -> list[Any] | None:
        way = direction.upper()
        if way not in ("ASC", "ASCENDING", "DESC", "DESCENDING"):
            return None
        kept = sorted([v for v in values if v is not None], key=key, reverse=way[0] == "D")
        return [*kept, *[None] * (len(values) - len(kept))]

    return sort


@arrays.scalar(
    "ARRAY_JOIN(ARRAY<T> array) -> VARCHAR",
    "ARRAY_JOIN(ARRAY<T> array, VARCHAR delimiter) -> VARCHAR",
    typed=True,
    sees_null=True,
)
def array_join(args: Sequence[ArgType]) -> Callable[..., Any]:
    """The elements as one string, with a delimiter (a comma by default) between them."""
    item = args[0].item if isinstance(args[0], T.Array) else None
    allowed = item is None or isinstance(item, T.Decimal) or item in _JOINABLE

    def join(values: Sequence[Any] | None, delimiter: str | None = ",") -> str | None:
        if values is None:
            return None
        if not allowed and any(v is not None for v in values):
            raise DataError(f"error: hit element of type {item} which is currently not supported")
        return (delimiter or "").join(map(_text, values))

    return join


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return double_to_string(value) if isinstance(value, float) else str(value)


@arrays.scalar(
    "GENERATE_SERIES(INT start, INT end) -> ARRAY<INT>",
    "GENERATE_SERIES(BIGINT start, BIGINT end) -> ARRAY<BIGINT>",
    "GENERATE_SERIES(INT start, INT end, INT step) -> ARRAY<INT>",
    "GENERATE_SERIES(BIGINT start, BIGINT end, INT step) -> ARRAY<BIGINT>",
    typed=True,
    primitive=("start", "end", "step"),
)
def generate_series(args: Sequence[ArgType]) -> Callable[..., Any]:
    """The numbers from a start to an end, both included, by a step (1 or -1 by default)."""
    wrap = wrap_long if T.BIGINT in args[:2] else wrap_int

    def series(start: int, end: int, step: int | None = None) -> list[int]:
        difference = wrap(end - start)
        if step is None:
            step = 1 if difference > 0 else -1
        if step == 0:
            raise DataError("GENERATE_SERIES step cannot be zero")
        if (difference > 0 and step < 0) or (difference < 0 and step > 0):
            raise DataError("GENERATE_SERIES step has wrong sign")
        size = 1 + abs(difference) // abs(step)
        if size > _MOST:
            raise DataError(f"GENERATE_SERIES would make {size} elements; at most {_MOST} are allowed.")
        return [start + i * step for i in range(size)]

    return series


@arrays.scalar("SLICE(ARRAY<T> in, INT from, INT to) -> ARRAY<T>", sees_null=True)
def slice_(values: list[Any] | None, first: int | None, last: int | None) -> list[Any] | None:
    """The elements between two positions, both included; NULL if a position is outside the array."""
    if values is None:
        return None
    start = 0 if first is None else first - 1
    end = len(values) if last is None else last
    if start > end:
        raise DataError(f"fromIndex({start}) > toIndex({end})")
    return values[start:end] if start >= 0 and end <= len(values) else None
