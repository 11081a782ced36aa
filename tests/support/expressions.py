"""A row of every type, and a registry of a few functions, for tests of expressions."""

from __future__ import annotations

import decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ksqlkit.dialect import types as T
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.schema import Column

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "expressions"
_STRUCT = T.Struct((("X", T.INTEGER), ("W", T.STRING), ("Q", T.Struct((("Z", T.DOUBLE),)))))
ROW: dict[str, tuple[T.SqlType, Any]] = {
    "I": (T.INTEGER, 7),
    "J": (T.INTEGER, -3),
    "L": (T.BIGINT, 5_000_000_000),
    "D": (T.DOUBLE, 2.5),
    "DC": (T.Decimal(6, 2), decimal.Decimal("12.34")),
    "S": (T.STRING, "Hello"),
    "N": (T.STRING, None),
    "Z": (T.INTEGER, None),
    "B": (T.BOOLEAN, True),
    "NB": (T.BOOLEAN, None),
    "DT": (T.DATE, 19782),
    "TM": (T.TIME, 45_296_789),
    "TS": (T.TIMESTAMP, 1_709_210_096_789),
    "Y": (T.BYTES, b"\x01\xff"),
    "A": (T.Array(T.INTEGER), [3, 1, None]),
    "M": (T.Map(T.STRING, T.INTEGER), {"a": 1, "b": None}),
    "ST": (_STRUCT, {"X": 9, "W": None, "Q": {"Z": 1.5}}),
}
COLUMNS = tuple(Column(name, kind) for name, (kind, _) in ROW.items())
VALUES = tuple(value for _, value in ROW.values())


class BatchDouble:
    """A remote function that notes its batches."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[Any, ...]]] = []

    def call(self, rows: Any) -> list[Any]:
        """One result per row."""
        self.batches.append(list(rows))
        return [row[0] * 2 for row in rows]


def registry(remote: BatchDouble | None = None) -> Registry:
    """Functions of known behaviour: propagating and not, inline and not, failing, with a lambda, remote."""
    functions = Registry(builtin=False)
    functions.register_scalar("TWICE(BIGINT v) -> BIGINT", lambda v: v * 2, inline="{0} * 2")
    functions.register_scalar("HALF(DOUBLE v) -> DOUBLE", lambda v: v / 2)
    functions.register_scalar("OR_ELSE(T a, T b) -> T", lambda a, b: b if a is None else a, sees_null=True)
    functions.register_scalar("EACH(ARRAY<T> a, LAMBDA (T) => R f) -> ARRAY<R>", _each)

    def fails(value: int) -> int:
        raise ValueError(f"no {value}")

    functions.register_scalar("FAILS(INT v) -> INT", fails)
    args = [{"name": "v", "type": "DOUBLE"}]
    functions.register_remote("SCORE", [{"args": args, "returns": "DOUBLE"}], remote or BatchDouble())
    return functions


def _each(items: list[Any], function: Callable[[Any], Any]) -> list[Any]:
    return [function(item) for item in items]


def golden(name: str) -> list[tuple[str, ...]]:
    """Cases of a golden file, parts split at ` ; `."""
    lines = (GOLDEN / name).read_text(encoding="utf-8").splitlines()
    return [tuple(line.split(" ; ")) for line in lines if line and not line.startswith("#")]
