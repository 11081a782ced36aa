"""Columns to JSON, byte for byte as ksqlDB's (Jackson's) output: a generated function per schema.

The function is one f-string; for rows of a few columns that is several times faster than a JSON library,
whose call costs more than the text.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Sequence
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, Final

import orjson

from ksqlkit.dialect import types as T
from ksqlkit.engine.java_numbers import double_to_string
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde.codegen import compile_function
from ksqlkit.engine.serde.errors import SerdeError
from ksqlkit.engine.serde.json_text import as_jackson, quote

Writer = Callable[[Sequence[Any] | None], bytes | None]
_WHOLE: Final = frozenset({T.INTEGER, T.BIGINT, T.TIME, T.DATE, T.TIMESTAMP})


def make_writer(columns: Sequence[Column], *, wrapped: bool, topic: str) -> Writer:
    """A writer of JSON records; None, or a null single value without a wrapper, is a tombstone."""
    values = [f"v{i}" for i in range(len(columns))]
    lines = ["def write(row):", "    if row is None:", "        return None"]
    lines.append(f"    {''.join(v + ', ' for v in values)} = row" if values else "    () = row")
    if not wrapped:
        lines += ["    if v0 is None:", "        return None"]
    lines.append("    try:")
    lines += [f"        {v} = {_text(c.type, v)}" for v, c in zip(values, columns, strict=True)]
    template = _template([c.name for c in columns], values) if wrapped else "f'{v0}'"
    lines += [
        f"        text = {template}",
        '        return text.encode() if text.isascii() and "\\\\" not in text else as_jackson(text)',
        "    except (TypeError, ValueError, AttributeError) as error:",
        "        raise failed(error) from None",
    ]

    def failed(error: Exception) -> SerdeError:
        return SerdeError(f"Error serializing message to topic: {topic}. {error}", (str(error),))

    names = {"as_jackson": as_jackson, "failed": failed, "quote": encode_basestring}
    names |= {"number": orjson.dumps, "double": _double, "decimal": _decimal, "base64": _base64}
    return compile_function("write", "\n".join(lines), names)


def _template(names: Sequence[str], values: Sequence[str]) -> str:
    """An f-string of an object whose values are the texts in the variables `values`."""
    parts: list[str] = []
    for name, value in zip(names, values, strict=True):
        literal = f"{',' if parts else '{'}{quote(name)}:".replace("{", "{{").replace("}", "}}")
        parts.append(repr(literal)[1:-1].replace('"', '\\"') + "{" + value + "}")
    return 'f"' + ("".join(parts) or "{{") + '}}"'


def _double(value: float) -> str:
    text = double_to_string(value)
    return text if text[-1].isdigit() else f'"{text}"'


def _decimal(value: Decimal) -> str:
    return str(value.copy_abs() if value.is_zero() else value)


def _base64(value: bytes) -> str:
    return '"' + b2a_base64(value, newline=False).decode() + '"'


def _text(kind: T.SqlType, v: str, *, depth: int = 0) -> str:
    """An expression for the JSON text of the value in variable `v`; at depth 0 it may still be a number,
    which an f-string formats."""
    inner = f"{v}_{depth}"
    match kind:
        case T.BOOLEAN:
            text = f"'true' if {v} else 'false'"
        case T.STRING:
            text = f"quote({v})"
        case T.DOUBLE:
            # Between these bounds Java prints as Python does.
            plain = f"0.001 <= {v} < 1e7 or -1e7 < {v} <= -0.001 or not {v}"
            text = f"number({v}).decode() if {plain} else double({v})"
        case T.Decimal():
            text = f"decimal({v})"
        case T.BYTES:
            text = f"base64({v})"
        case T.Array(item):
            text = f"'[' + ','.join([{_text(item, inner, depth=depth + 1)} for {inner} in {v}]) + ']'"
        case T.Map(_, item):
            key = f"('\"null\":' if k{inner} is None else quote(k{inner}) + ':')"
            pair = f"{key} + ({_text(item, inner, depth=depth + 1)})"
            text = f"'{{' + ','.join([{pair} for k{inner}, {inner} in {v}.items()]) + '}}'"
        case T.Struct(fields):
            # A one-element loop is how an expression names a value that it needs several times.
            parts = [
                f"{(',' if i else '') + quote(name) + ':'!r} + "
                f"[{_text(field, inner, depth=depth + 1)} for {inner} in ({v}[{name!r}],)][0]"
                for i, (name, field) in enumerate(fields)
            ]
            text = " + ".join(["'{'", *parts, "'}'"])
        case _ if kind in _WHOLE:
            text = f"str({v})" if depth else v
        case _:
            raise TypeError(f"no JSON form for type {kind}")
    return f"'null' if {v} is None else {text}"
