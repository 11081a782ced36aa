"""Columns to JSON, byte for byte as ksqlDB's (Jackson's) output: a generated function per schema."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from ksqlkit.dialect import types as T
from ksqlkit.engine.java_numbers import double_to_string
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde.codegen import compile_function
from ksqlkit.engine.serde.errors import SerdeError
from ksqlkit.engine.serde.json_text import as_jackson

Writer = Callable[[Sequence[Any] | None], bytes | None]
# Types whose values orjson writes as Jackson does (up to as_jackson).
_PLAIN: Final = frozenset({T.BOOLEAN, T.INTEGER, T.BIGINT, T.STRING, T.TIME, T.DATE, T.TIMESTAMP})


def make_writer(columns: Sequence[Column], *, wrapped: bool, topic: str) -> Writer:
    """A writer of JSON records; None, or a null single value without a wrapper, is a tombstone."""
    names = [f"v{i}" for i in range(len(columns))]
    if wrapped:
        body = (
            "{"
            + ", ".join(f"{c.name!r}: {_text(c.type, n)}" for c, n in zip(columns, names, strict=True))
            + "}"
        )
    else:
        body = _text(columns[0].type, "v0")
    lines = ["def write(row):", "    if row is None:", "        return None"]
    lines.append(f"    {''.join(n + ', ' for n in names)} = row" if names else "    () = row")
    if not wrapped:
        lines += ["    if v0 is None:", "        return None"]
    lines += [
        "    try:",
        f"        out = dumps({body})",
        "    except (TypeError, ValueError) as error:",
        "        raise failed(error) from None",
        '    return out if out.isascii() and b"\\\\" not in out else as_jackson(out)',
    ]

    def failed(error: Exception) -> SerdeError:
        return SerdeError(f"Error serializing message to topic: {topic}. {error}", (str(error),))

    space = {"dumps": orjson.dumps, "as_jackson": as_jackson, "failed": failed}
    space |= {"double": _double, "decimal": _decimal, "base64": _base64}
    return compile_function("write", "\n".join(lines), space)


def _double(value: float) -> orjson.Fragment:
    text = double_to_string(value)
    return orjson.Fragment(text if text[-1].isdigit() else f'"{text}"')


def _decimal(value: Decimal) -> orjson.Fragment:
    return orjson.Fragment(str(value if value else value.copy_abs()))


def _base64(value: bytes) -> orjson.Fragment:
    return orjson.Fragment(b'"' + b2a_base64(value, newline=False) + b'"')


def _is_plain(kind: T.SqlType) -> bool:
    match kind:
        case T.Array(item):
            return _is_plain(item)
        case T.Struct(fields):
            return all(_is_plain(t) for _, t in fields)
    return kind in _PLAIN


def _text(kind: T.SqlType, v: str) -> str:
    """The expression for what orjson is given for a value in variable `v`."""
    if _is_plain(kind):
        return v
    inner = v + "_"
    match kind:
        case T.DOUBLE:
            # Between these bounds Java prints as Python does.
            plain = f"{v} is None or 0.001 <= {v} < 1e7 or -1e7 < {v} <= -0.001 or not {v}"
            return f"({v} if {plain} else double({v}))"
        case T.Decimal():
            text = f"decimal({v})"
        case T.BYTES:
            text = f"base64({v})"
        case T.Array(item):
            text = f"[{_text(item, inner)} for {inner} in {v}]"
        case T.Map(_, item):
            key = f'"null" if k{inner} is None else k{inner}'
            text = f"{{{key}: {_text(item, inner)} for k{inner}, {inner} in {v}.items()}}"
        case T.Struct(fields):
            parts = (f"{n!r}: {_field(t, f'{v}[{n!r}]', inner)}" for n, t in fields)
            text = "{" + ", ".join(parts) + "}"
        case _:
            raise TypeError(f"no JSON form for type {kind}")
    return f"(None if {v} is None else {text})"


def _field(kind: T.SqlType, source: str, name: str) -> str:
    if _is_plain(kind):
        return source
    # A one-element loop is how an expression names a value that it needs several times.
    return f"[{_text(kind, name)} for {name} in ({source},)][0]"
