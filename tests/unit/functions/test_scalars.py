"""Scalar functions: cases are data, [name, argument types, arguments, result]. Decimals, bytes and errors are objects,
doubles that JSON has no number for are strings."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ksqlkit.dialect import parse_type
from ksqlkit.dialect import types as T
from ksqlkit.engine.functions.contract import INTERVAL_UNIT, LambdaType
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.java_numbers import double_to_string
from ksqlkit.errors import DataError

CASES = json.loads(Path(__file__).with_name("scalars.json").read_text(encoding="utf-8"))
REGISTRY = Registry()
LAMBDAS = {"TRANSFORM", "FILTER", "REDUCE"}
RANDOM = {"RANDOM"}


def value(given: Any) -> Any:
    """A case's value as the engine holds it."""
    if isinstance(given, dict) and "decimal" in given:
        return Decimal(given["decimal"])
    if isinstance(given, dict) and "bytes" in given:
        return bytes.fromhex(given["bytes"])
    return float("nan") if given == "NaN" else given


def shown(result: Any) -> Any:
    """A result as the cases write it, exactly."""
    if isinstance(result, Decimal):
        return {"decimal": str(result)}
    if isinstance(result, bytes):
        return {"bytes": result.hex()}
    if isinstance(result, float) and not math.isfinite(result):
        return double_to_string(result)
    return result


@pytest.mark.parametrize(
    ("name", "types", "args", "expected"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)]
)
def test_case(name: str, types: list[str], args: list[Any], expected: Any) -> None:
    kinds = [INTERVAL_UNIT if t == "INTERVAL UNIT" else parse_type(t) for t in types]
    fn = REGISTRY.scalar(name, kinds).fn
    if isinstance(expected, dict) and "error" in expected:
        with pytest.raises(DataError, match=expected["error"]):
            fn(*map(value, args))
        return
    result = shown(fn(*map(value, args)))
    assert (type(result), str(result)) == (type(expected), str(expected))


def test_every_scalar_function_has_a_case() -> None:
    names = {f.name for f in REGISTRY.list() if f.type == "SCALAR"}
    assert names - {c[0] for c in CASES} == LAMBDAS | RANDOM


def test_lambdas_over_arrays_and_maps() -> None:
    ints, words = T.Array(T.INTEGER), T.Map(T.STRING, T.INTEGER)
    one = LambdaType((T.INTEGER,), T.BOOLEAN)
    two = LambdaType((T.STRING, T.INTEGER), T.BOOLEAN)
    named = LambdaType((T.STRING, T.INTEGER), T.STRING)
    assert REGISTRY.scalar("TRANSFORM", [ints, one]).fn([1, 2], lambda x: x > 1) == [False, True]
    assert REGISTRY.scalar("FILTER", [words, two]).fn({"a": 1, "b": 2}, lambda k, v: v > 1) == {"b": 2}
    transform = REGISTRY.scalar("TRANSFORM", [words, named, two])
    assert str(transform.returns) == "MAP<STRING, BOOLEAN>"
    assert transform.fn({"a": 1}, lambda k, v: k + "!", lambda k, v: v > 1) == {"a!": False}
    with pytest.raises(DataError, match="Duplicate key"):
        transform.fn({"a": 1, "b": 2}, lambda k, v: "same", lambda k, v: True)
    with pytest.raises(DataError, match="gave NULL"):
        REGISTRY.scalar("FILTER", [ints, one]).fn([1], lambda x: None)


def test_random_is_random() -> None:
    drawn = {REGISTRY.scalar("RANDOM", []).fn() for _ in range(20)}
    assert len(drawn) > 1
    assert all(0 <= d < 1 for d in drawn)
    assert len({REGISTRY.scalar("UUID", []).fn() for _ in range(3)}) == 3


def test_tables() -> None:
    explode = REGISTRY.table("EXPLODE", [T.Array(T.Decimal(4, 2))])
    assert explode.returns == T.Decimal(4, 2)
    assert list(explode.fn(None) or ()) == []
    cube = REGISTRY.table("CUBE_EXPLODE", [T.Array(T.INTEGER)])
    assert cube.fn([1, None, 2]) == [[None, None, None], [None, None, 2], [1, None, None], [1, None, 2]]
    with pytest.raises(DataError, match="too many columns"):
        cube.fn([1] * 21)
