"""CORRELATION, STDDEV_SAMP and STDDEV_SAMPLE."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ksqlkit.dialect import types as T
from ksqlkit.engine.functions.define import Aggregation, Family
from ksqlkit.engine.java_numbers import wrap_int, wrap_long

stats = Family("AGGREGATE")

_NUMBERS = ("DOUBLE", "INT", "BIGINT")


@stats.aggregate(
    *(f"CORRELATION({t} val1, {t} val2) -> DOUBLE" for t in _NUMBERS), about="Pearson's correlation."
)
def correlation(_types: Sequence[T.SqlType], _constants: Sequence[Any]) -> Aggregation:
    """How closely two columns move together, from -1 to 1 (Pearson)."""

    def moved(state: list[Any], x: float | None, y: float | None, by: int) -> list[Any]:
        if x is None or y is None:
            return state
        x, y = float(x), float(y)
        moves = (x, y, x * x, y * y, x * y, 1)
        return [s + by * m for s, m in zip(state, moves, strict=True)]

    def result(state: list[Any]) -> float:
        sum_x, sum_y, sum_xx, sum_yy, sum_xy, n = state
        product = (n * sum_xx - sum_x * sum_x) * (n * sum_yy - sum_y * sum_y)
        top = n * sum_xy - sum_x * sum_y
        bottom = math.sqrt(product) if product >= 0 else math.nan
        if bottom:
            return float(top / bottom)
        return math.copysign(math.inf, top) if top and not math.isnan(top) else math.nan

    return Aggregation(
        init=lambda: [0.0, 0.0, 0.0, 0.0, 0.0, 0],
        add=lambda state, x, y: moved(state, x, y, 1),
        remove=lambda state, x, y: moved(state, x, y, -1),
        merge=lambda a, b: [x + y for x, y in zip(a, b, strict=True)],
        result=result,
    )


def _deviation(kind: T.SqlType, finish: Callable[[float], float], exact_mean: bool) -> Aggregation:
    """The Youngs-Cramer algorithm; the state is [sum, count, sum of squared differences]. Whole sums wrap."""
    whole = kind != T.DOUBLE
    wrap: Callable[[Any], Any] = wrap_int if kind == T.INTEGER else wrap_long if whole else lambda v: v

    def difference(state: list[Any], v: Any, n: int) -> float:
        return float(wrap_long(v * n - wrap(state[0] + v)) if whole else v * n - (state[0] + v))

    def add(state: list[Any], v: Any) -> list[Any]:
        if v is None:
            return state
        n = state[1] + 1
        delta = difference(state, v, n) if n > 1 else 0.0
        return [wrap(state[0] + v), n, (delta * delta / (n * (n - 1)) if n > 1 else 0.0) + state[2]]

    def remove(state: list[Any], v: Any) -> list[Any]:
        if v is None:
            return state
        n = state[1] - 1
        delta = difference(state, v, state[1] + 1) if n > 0 else 0.0
        return [wrap(state[0] - v), n, state[2] - (delta * delta / (n * (n + 1)) if n > 0 else 0.0)]

    def mean(state: list[Any]) -> float:
        if exact_mean or not whole:
            return float(state[0] / state[1])
        return float(abs(state[0]) // state[1] * (1 if state[0] >= 0 else -1))  # Java's integer division

    def merge(a: list[Any], b: list[Any]) -> list[Any]:
        n = a[1] + b[1]
        squares = a[2] + b[2]
        if a[1] and b[1]:
            gap = mean(a) - mean(b)
            squares += a[1] * b[1] * gap * gap / n
        return [wrap(a[0] + b[0]), n, squares]

    return Aggregation(
        init=lambda: [0 if whole else 0.0, 0, 0.0],
        add=add,
        remove=remove,
        merge=merge,
        result=lambda state: finish(state[2] / (state[1] - 1)) if state[1] >= 2 else 0.0,
    )


@stats.aggregate(
    *(f"STDDEV_SAMP({t} val1) -> DOUBLE" for t in _NUMBERS), about="The sample variance of a column."
)
def stddev_samp(types: Sequence[T.SqlType], _constants: Sequence[Any]) -> Aggregation:
    """The sample variance of a column. Despite its name ksqlDB takes no root here; STDDEV_SAMPLE does."""
    return _deviation(types[0], lambda v: v, exact_mean=False)


@stats.aggregate(
    *(f"STDDEV_SAMPLE({t} val1) -> DOUBLE" for t in _NUMBERS), about="The sample standard deviation."
)
def stddev_sample(types: Sequence[T.SqlType], _constants: Sequence[Any]) -> Aggregation:
    """The sample standard deviation of a column."""
    return _deviation(types[0], math.sqrt, exact_mean=True)
