"""The small functions that ksqlDB's cases call, in Python, registered as a user registers functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from ksqlkit.dialect import types as T
from ksqlkit.engine.functions.define import Aggregation
from ksqlkit.engine.functions.registry import Registry

_PAIR = "STRUCT<A INT, B INT>"


def register(registry: Registry) -> None:
    """Add them all."""
    _scalars(registry)
    _tables(registry)
    _aggregates(registry)


def _scalars(registry: Registry) -> None:
    def named(text: str) -> Callable[..., str]:
        return lambda *_: text

    for signature, answer in (
        ("TEST_UDF(INT arg1, VARCHAR arg2) -> VARCHAR", "doStuffIntString"),
        ("TEST_UDF(BIGINT arg1, VARCHAR arg2) -> VARCHAR", "doStuffLongString"),
        ("TEST_UDF(BIGINT arg1, BIGINT arg2, VARCHAR arg3) -> VARCHAR", "doStuffLongLongString"),
        ("TEST_UDF(BIGINT... longs) -> VARCHAR", "doStuffLongVarargs"),
    ):
        registry.register_scalar(signature, named(answer), sees_null=True)
    registry.register_scalar("TEST_UDF(STRUCT<A VARCHAR> struct) -> VARCHAR", lambda s: s["A"])
    registry.register_scalar("TOSTRUCT(VARCHAR value) -> STRUCT<A VARCHAR>", lambda text: {"A": text})

    def when(value: Any, allowed: bool) -> Any:
        if not allowed:
            raise ValueError("When condition in case is not running lazily!")
        return value

    registry.register_scalar("WHENCONDITION(BOOLEAN retValue, BOOLEAN shouldBeEvaluated) -> BOOLEAN", when)
    registry.register_scalar("WHENRESULT(INT retValue, BOOLEAN shouldBeEvaluated) -> INT", when)

    def throws(_: Any) -> Any:
        raise ValueError("boom!")

    def every_other(_: Sequence[Any]) -> Callable[[str], str | None]:
        calls = 0

        def fn(text: str) -> str | None:
            nonlocal calls
            calls += 1
            return None if calls % 2 else text

        return fn

    registry.register_scalar("BAD_UDF(INT arg1) -> INT", throws)
    registry.register_scalar("BAD_UDF(BOOLEAN arg1) -> INT", lambda fails: throws(fails) if fails else 0)
    registry.register_scalar("BAD_UDF(VARCHAR arg1) -> VARCHAR", every_other, typed=True)


def _tables(registry: Registry) -> None:
    def shown(value: Any) -> str:
        if isinstance(value, dict):
            return "Struct{" + ",".join(f"{k}={v}" for k, v in value.items()) + "}"
        return str(value).lower() if isinstance(value, bool) else str(value)

    seven = "INT i, BIGINT l, DOUBLE d, BOOLEAN b, VARCHAR s, DECIMAL bd, STRUCT<A VARCHAR> struct"
    registry.register_table(f"TEST_UDTF({seven}) -> VARCHAR", lambda *args: [shown(a) for a in args])
    lists = (
        "ARRAY<INT> i, ARRAY<BIGINT> l, ARRAY<DOUBLE> d, ARRAY<BOOLEAN> b, ARRAY<VARCHAR> s, ARRAY<DECIMAL> bd, "
        "ARRAY<STRUCT<A VARCHAR>> struct"
    )
    registry.register_table(f"TEST_UDTF({lists}) -> VARCHAR", lambda *args: [shown(a[0]) for a in args])
    maps = (
        "MAP<VARCHAR, INT> i, MAP<VARCHAR, BIGINT> l, MAP<VARCHAR, DOUBLE> d, MAP<VARCHAR, BOOLEAN> b, "
        "MAP<VARCHAR, VARCHAR> s, MAP<VARCHAR, DECIMAL> bd, MAP<VARCHAR, STRUCT<A VARCHAR>> struct"
    )
    registry.register_table(
        f"TEST_UDTF({maps}) -> VARCHAR", lambda *args: [shown(next(iter(a.values()))) for a in args]
    )
    for kind in ("INT", "BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR", "STRUCT<A VARCHAR>"):
        registry.register_table(f"TEST_UDTF({kind} x) -> {kind}", lambda x: [x])

    registry.register_table("TEST_UDTF(DECIMAL x) -> DECIMAL(30, 10)", lambda x: [x])

    def throwing(fails: bool | None) -> list[bool | None]:
        if fails:
            raise ValueError("You asked me to throw...")
        return [fails]

    registry.register_table("THROWING_UDTF(BOOLEAN shouldThrow) -> BOOLEAN", throwing)


def _total(initial: int) -> Aggregation:
    """Adds numbers as they are, texts by their length, nulls as nothing."""

    def add(state: int, *args: Any) -> int:
        flat = [a for arg in args for a in (arg if isinstance(arg, list) else [arg])]
        return state + sum(len(a) if isinstance(a, str) else a for a in flat if a is not None)

    return Aggregation(init=lambda: initial, add=add)


def _aggregates(registry: Registry) -> None:
    def total(_: Sequence[T.SqlType], constants: Sequence[Any]) -> Aggregation:
        return _total(sum(len(c) if isinstance(c, str) else c for c in constants))

    texts = "VARCHAR c, VARCHAR d, VARCHAR e"
    for signature in (
        "VAR_ARG(BIGINT first, VARCHAR... rest) -> BIGINT",
        "MID_VAR_ARG(BIGINT first, VARCHAR... rest; INT a, INT b) -> BIGINT",
        f"MULTI_ARG(BIGINT first, VARCHAR second; INT a, {texts}) -> BIGINT",
        f"FOUR_ARG(BIGINT first, VARCHAR second, VARCHAR third, VARCHAR fourth; INT a, {texts}) -> BIGINT",
        "FIVE_ARG(BIGINT first, VARCHAR second, VARCHAR third, VARCHAR fourth, INT fifth; "
        f"INT a, {texts}) -> BIGINT",
    ):
        registry.register_aggregate(signature, total)

    def firsts(_: Sequence[T.SqlType], __: Sequence[Any]) -> Aggregation:
        """The first arguments, of rows in which no argument is null."""

        def add(state: list[Any], *args: Any) -> list[Any]:
            return state if any(a is None for a in args) else [*state, args[0]]

        return Aggregation(init=list, add=add)

    registry.register_aggregate("GENERIC_VAR_ARG(A first, B second, C... rest) -> ARRAY<A>", firsts)
    registry.register_aggregate("OBJ_COL_ARG(INT first, ANY... rest) -> ARRAY<INT>", firsts)

    def summed(types: Sequence[T.SqlType], _: Sequence[Any]) -> Aggregation:
        zero: Any = 0.0 if types[0] == T.DOUBLE else Decimal(0) if isinstance(types[0], T.Decimal) else 0
        return Aggregation(
            init=lambda: zero,
            add=lambda state, value: state if value is None else state + value,
            remove=lambda state, value: state if value is None else state - value,
            merge=lambda key, a, b: a + b,
        )

    for kind in ("INT", "BIGINT", "DOUBLE"):
        registry.register_aggregate(f"TEST_UDAF({kind} val1) -> {kind}", summed)

    def text_length(_: Sequence[T.SqlType], __: Sequence[Any]) -> Aggregation:
        return _total(0)

    registry.register_aggregate("TEST_UDAF(VARCHAR val1) -> BIGINT", text_length)

    def pairs(_: Sequence[T.SqlType], __: Sequence[Any]) -> Aggregation:
        def add(state: dict[str, int], value: dict[str, int] | None) -> dict[str, int]:
            return state if value is None else {k: state[k] + (value[k] or 0) for k in state}

        return Aggregation(init=lambda: {"A": 0, "B": 0}, add=add)

    registry.register_aggregate(f"TEST_UDAF({_PAIR} val1) -> {_PAIR}", pairs)

    def list_sum(types: Sequence[T.SqlType], _: Sequence[Any]) -> Aggregation:
        zero: Any = 0.0 if types[0] == T.Array(T.DOUBLE) else 0

        def add(state: Any, values: list[Any] | None) -> Any:
            return state + sum(v for v in values or () if v is not None)

        return Aggregation(init=lambda: zero, add=add, merge=lambda key, a, b: a + b)

    if registry.kind("SUM_LIST") is None:
        for kind in ("INT", "BIGINT", "DOUBLE"):
            registry.register_aggregate(f"SUM_LIST(ARRAY<{kind}> list) -> {kind}", list_sum)
