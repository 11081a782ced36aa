"""TRANSFORM, FILTER and REDUCE over arrays and maps. Lambdas arrive as Python callables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ksqlkit.engine.functions.define import Family
from ksqlkit.errors import DataError

lambdas = Family("LAMBDA")

Fn = Callable[..., Any]


@lambdas.scalar(
    "TRANSFORM(MAP<K, V> map, LAMBDA (K, V) => R biFunction1, LAMBDA (K, V) => T biFunction2) -> MAP<R, T>"
)
def transform_map(value: dict[Any, Any], key: Fn, item: Fn) -> dict[Any, Any]:
    """Applies a lambda to each element of an array, or one lambda to each key and one to each value of a map."""
    made: dict[Any, Any] = {}
    for k, v in value.items():
        new, result = key(k, v), item(k, v)
        if new in made:
            raise DataError(f"Duplicate key {new} (attempted merging values {made[new]} and {result})")
        if result is None:
            raise DataError("A map made by TRANSFORM cannot hold NULL.")
        made[new] = result
    return made


@lambdas.scalar("TRANSFORM(ARRAY<T> array, LAMBDA (T) => R function) -> ARRAY<R>")
def transform_array(values: Sequence[Any], function: Fn) -> list[Any]:
    """Applies a lambda to each element."""
    return [function(v) for v in values]


@lambdas.scalar("FILTER(MAP<K, V> map, LAMBDA (K, V) => BOOLEAN biFunction) -> MAP<K, V>")
def filter_map(value: dict[Any, Any], function: Fn) -> dict[Any, Any]:
    """The elements of an array, or the entries of a map, for which a lambda is true."""
    kept = {k: v for k, v in value.items() if _truth(function(k, v))}
    if None in kept.values():
        raise DataError("A map made by FILTER cannot hold NULL.")
    return kept


@lambdas.scalar("FILTER(ARRAY<T> array, LAMBDA (T) => BOOLEAN function) -> ARRAY<T>")
def filter_array(values: Sequence[Any], function: Fn) -> list[Any]:
    """The elements for which a lambda is true."""
    return [v for v in values if _truth(function(v))]


def _truth(value: bool | None) -> bool:
    if value is None:
        raise DataError("The lambda of FILTER gave NULL.")
    return value


@lambdas.scalar("REDUCE(ARRAY<T> list, S initialState, LAMBDA (S, T) => S biFunction) -> S", sees_null=True)
def reduce_array(values: Sequence[Any] | None, state: Any, function: Fn) -> Any:
    """Folds the elements of an array, or the entries of a map, into a state by a lambda."""
    for value in (values or ()) if state is not None else ():
        state = function(state, value)
    return state


@lambdas.scalar(
    "REDUCE(MAP<K, V> map, S initialState, LAMBDA (S, K, V) => S triFunction) -> S", sees_null=True
)
def reduce_map(value: dict[Any, Any] | None, state: Any, function: Fn) -> Any:
    """Folds the entries of a map."""
    for k, v in (value or {}).items() if state is not None else ():
        state = function(state, k, v)
    return state
