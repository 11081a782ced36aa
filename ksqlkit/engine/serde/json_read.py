"""JSON to columns: a generated function per schema that handles what records normally look like.

Anything else (a string where a number is due, a number that does not fit, bad JSON) goes, record by record,
to json_exact, which knows every coercion and error. Both give the same values.
"""

from __future__ import annotations

import decimal
import functools
from binascii import a2b_base64
from collections.abc import Callable, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final

import orjson

from ksqlkit.dialect import types as T
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import json_exact
from ksqlkit.engine.serde.codegen import Source, compile_function
from ksqlkit.engine.serde.java_map import hash_order
from ksqlkit.engine.serde.values import DAY_MILLIS, INT_MAX, LONG_MAX

Reader = Callable[[bytes | None], tuple[Any, ...] | None]
_SHAPES: Final = 256  # different sets of field names that are remembered per object type
_INT: Final = f"(type($) is not int or not {-INT_MAX - 1} <= $ <= {INT_MAX}) and $ is not None"
_LONG: Final = f"(type($) is not int or $ > {LONG_MAX}) and $ is not None"
# Digits and points to 0, all else to a space. A number of at most 15 digits survives as a float: its shortest
# text is the number itself. Records with longer runs are parsed with exact decimals where a column is DECIMAL.
_DIGITS: Final = bytes(0x30 if byte in b"0123456789." else 0x20 for byte in range(256))
# Tests for a value that the fast path leaves alone.
_ODD: Final[dict[T.SqlType, str]] = {
    T.BOOLEAN: "$ is not True and $ is not False and $ is not None",
    T.INTEGER: _INT,
    T.BIGINT: _LONG,
    T.STRING: "type($) is not str and $ is not None",
    T.TIME: f"(type($) is not int or not 0 <= $ <= {DAY_MILLIS}) and $ is not None",
    T.DATE: _INT,
    T.TIMESTAMP: _LONG,
}


def make_reader(
    columns: Sequence[Column], *, wrapped: bool, where: str, exact: Reader | None = None
) -> Reader:
    """A reader of JSON records; `where` goes into error messages ("value from topic: t").

    `exact` reads records that do not look as they normally do; with it the names of fields are matched as they are.
    """
    source = _Source(exact is not None)
    fields = tuple((c.name, c.type) for c in columns)
    kind: T.SqlType = T.Struct(fields) if wrapped else columns[0].type
    decimals = uses_decimal(kind)
    if wrapped:
        body = [*source.fields("d", fields), f"return ({''.join(f'v{i}, ' for i in range(len(fields)))})"]
    else:
        body = ["v0 = d", *source.convert("v0", kind), "return (v0,)"]
    lines = ["def read(data):", "    if data is None:", "        return None", "    try:"]
    load = "parse(data) if LONG in data.translate(DIGITS) else loads(data)" if decimals else "loads(data)"
    lines.append(f"        d = {load}")
    lines += ["        " + line for line in body]
    lines += ["    except ODD:", "        return slow(data)"]

    def slow(data: bytes) -> tuple[Any, ...] | None:
        value = json_exact.read(data, kind, where)
        if not wrapped:
            return (value,)
        return None if value is None else tuple(value.values())

    names = source.names | {
        "loads": orjson.loads,
        "parse": json_exact.parse,
        "LONG": b"0" * 16,
        "DIGITS": _DIGITS,
        "slow": exact or slow,
        "ODD": (ValueError, TypeError, ArithmeticError),
        "Decimal": Decimal,
        "unbase": functools.partial(a2b_base64, strict_mode=True),
        "hash_order": hash_order,
    }
    return compile_function("read", "\n".join([*source.functions, *lines]), names)


def make_picker(
    names: Sequence[str], *, as_they_are: bool = False
) -> tuple[dict[tuple[str, ...], Any], Callable[[dict[str, Any]], Any]]:
    """(known, learn): functions that take an object's values of `names`, in that order, by the object's own
    keys.

    A field is found by its exact name, else by its name in upper case unless `as_they_are`; an absent one is None.
    """
    known: dict[tuple[str, ...], Any] = {}

    def learn(value: dict[str, Any]) -> Any:
        if type(value) is not dict:
            raise TypeError("not an object")
        upper = {} if as_they_are else {key.upper(): key for key in value}
        found = [name if name in value else upper.get(name) for name in names]
        present = [name for name in found if name is not None]
        if len(names) > 1 and found == list(value):
            picker: Any = dict.values
        elif len(present) == len(found):
            picker = itemgetter(*present)
        elif len(found) == 1:
            picker = _nothing
        else:
            picker = functools.partial(_partial, found)
        if len(known) < _SHAPES:
            known[tuple(value)] = picker
        return picker

    return known, learn


def _nothing(value: dict[str, Any]) -> None:
    # An empty list or text iterates like an empty object.
    if type(value) is not dict:
        raise TypeError("not an object")


def _partial(names: list[str | None], value: dict[str, Any]) -> list[Any]:
    if type(value) is not dict:
        raise TypeError("not an object")
    return [None if name is None else value[name] for name in names]


def uses_decimal(kind: T.SqlType) -> bool:
    """Whether numbers must be read exactly."""
    match kind:
        case T.Decimal():
            return True
        case T.Array(item) | T.Map(_, item):
            return uses_decimal(item)
        case T.Struct(fields):
            return any(uses_decimal(t) for _, t in fields)
    return False


class _Source(Source):
    """Collects the text of the conversion functions and the names they use."""

    def __init__(self, as_they_are: bool = False) -> None:
        super().__init__()
        self.as_they_are = as_they_are  # names of fields

    def fields(self, value: str, fields: Sequence[tuple[str, T.SqlType]]) -> list[str]:
        """Lines that set v0, v1, ... to the converted fields of an object."""
        if not fields:
            return [f"if type({value}) is not dict: raise TypeError"]
        known, learn = self.unique("known"), self.unique("learn")
        self.names[known], self.names[learn] = make_picker(
            [name for name, _ in fields], as_they_are=self.as_they_are
        )
        targets = ", ".join(f"v{i}" for i in range(len(fields)))
        lines = [f"{targets} = ({known}.get(tuple({value})) or {learn}({value}))({value})"]
        for i, (_, kind) in enumerate(fields):
            lines += self.convert(f"v{i}", kind)
        return lines

    def convert(self, v: str, kind: T.SqlType) -> list[str]:
        """Lines that check or convert variable `v` in place, or raise."""
        if odd := _ODD.get(kind):
            return [f"if {odd.replace('$', v)}: raise ValueError"]
        match kind:
            case T.DOUBLE:
                # + 0.0 makes -0.0 positive: numbers pass through a decimal in ksqlDB.
                return [
                    f"if type({v}) is float: {v} += 0.0",
                    f"elif type({v}) is int or type({v}) is Decimal: {v} = float({v})",
                    f"elif {v} is not None: raise ValueError",
                ]
            case T.BYTES:
                return [f"if {v} is not None: {v} = unbase({v})"]
            case T.Decimal(precision, scale):
                unit, context = self.unique("unit"), self.unique("context")
                self.names[unit] = Decimal((0, (1,), -scale))
                traps = [decimal.Inexact, decimal.InvalidOperation]
                self.names[context] = decimal.Context(prec=precision, traps=traps)
                return [
                    f"if type({v}) is int: {v} = Decimal({v})",
                    f"elif type({v}) is float: {v} = Decimal(repr({v} + 0.0))",
                    f"if type({v}) is Decimal: {v} = {v}.quantize({unit}, None, {context})",
                    f"elif {v} is not None: raise ValueError",
                ]
        return [f"if {v} is not None: {v} = {self.function(kind)}({v})"]

    def function(self, kind: T.SqlType) -> str:
        """The name of a function that converts an array, a map or a struct."""
        name = self.unique("convert")
        lines: list[str] = []
        match kind:
            case T.Array(item):
                lines += ["if type(a) is not list: raise TypeError", "out = []", "for v in a:"]
                lines += ["    " + line for line in self.convert("v", item)]
                lines += ["    out.append(v)", "return out"]
            case T.Map(_, item):
                lines += ["if type(a) is not dict: raise TypeError", "out = {}", "for k, v in a.items():"]
                lines += ["    " + line for line in self.convert("v", item)]
                lines += ["    out[k] = v", "return hash_order(out)"]
            case T.Struct(fields):
                lines += self.fields("a", fields)
                pairs = ", ".join(f"{field!r}: v{i}" for i, (field, _) in enumerate(fields))
                lines.append(f"return {{{pairs}}}")
            case _:
                raise TypeError(f"no JSON form for type {kind}")
        self.functions.append("\n".join([f"def {name}(a):", *("    " + line for line in lines)]))
        return name
