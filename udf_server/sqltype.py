"""SQL types as the wire spells them, and the parser of signatures such as
`CLASSIFY(text VARCHAR, labels ARRAY<VARCHAR>) -> VARCHAR`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from udf_server.errors import SignatureError

_SYNONYMS: Final = {"STRING": "VARCHAR", "INT": "INTEGER"}
_SIMPLE: Final = frozenset(
    "BOOLEAN INTEGER BIGINT DOUBLE VARCHAR BYTES TIME DATE TIMESTAMP".split()  # noqa: SIM905
)
_TOKEN: Final = re.compile(r"\s*(->|\.\.\.|`[^`]+`|\w+|[<>(),])")


@dataclass(frozen=True, slots=True)
class SqlType:
    """A type: a name, the types inside it (ARRAY 1, MAP 2, STRUCT n), field names, or precision and scale.

    As an argument, a STRUCT without fields takes any struct, as a dict with the names and values it came with."""

    name: str
    items: tuple[SqlType, ...] = ()
    fields: tuple[str, ...] = ()
    precision: int = 0
    scale: int = 0

    def __str__(self) -> str:
        if self.name == "DECIMAL":
            return f"DECIMAL({self.precision}, {self.scale})"
        if self.name == "STRUCT":
            inside = ", ".join(f"{f} {t}" for f, t in zip(self.fields, self.items, strict=True))
            return f"STRUCT<{inside or ' '}>"  # STRUCT<> is no type in ksqlDB's grammar
        return self.name + (f"<{', '.join(map(str, self.items))}>" if self.items else "")


def shown(type_: SqlType | str) -> str:
    """A type as people read it: a STRUCT that may be any is just that."""
    return str(type_).replace("STRUCT< >", "STRUCT")


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's name, arguments and result; with `variadic` the last argument repeats once or more."""

    name: str
    arguments: tuple[tuple[str, SqlType], ...]
    returns: SqlType
    variadic: bool = False

    def types(self, count: int) -> tuple[SqlType, ...] | None:
        """The argument types of a call with `count` arguments, or None if that many do not fit."""
        declared = tuple(t for _, t in self.arguments)
        if not self.variadic:
            return declared if count == len(declared) else None
        return declared + declared[-1:] * (count - len(declared)) if count >= len(declared) else None


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self) -> str:
        match = _TOKEN.match(self.text, self.at)
        return match[1] if match else ""

    def take(self, expected: str | None = None) -> str:
        match = _TOKEN.match(self.text, self.at)
        if match is None or (expected is not None and match[1] != expected):
            found = self.text[self.at :].strip()[:20] or "the end"
            raise SignatureError(f"expected {expected or 'a name'} at {found!r} in signature {self.text!r}")
        self.at = match.end()
        return match[1]

    def type(self) -> SqlType:
        word = self.take().upper()
        name = _SYNONYMS.get(word, word)
        if name in _SIMPLE:
            return SqlType(name)
        if name == "DECIMAL":
            self.take("(")
            precision = int(self.take())
            self.take(",")
            scale = int(self.take())
            self.take(")")
            return SqlType(name, precision=precision, scale=scale)
        if name not in ("ARRAY", "MAP", "STRUCT"):
            raise SignatureError(f"expected a SQL type, not {word!r}, in signature {self.text!r}")
        self.take("<")
        fields: list[str] = []
        items: list[SqlType] = []
        while not (name == "STRUCT" and self.peek() == ">"):
            if name == "STRUCT":
                fields.append(self.take())
            items.append(self.type())
            if self.peek() != ",":
                break
            self.take()
        self.take(">")
        if len(items) != {"ARRAY": 1, "MAP": 2}.get(name, len(items)):
            raise SignatureError(f"{name} has the wrong number of types in signature {self.text!r}")
        return SqlType(name, tuple(items), tuple(fields))

    def end(self) -> None:
        if self.text[self.at :].strip():
            raise SignatureError(
                f"unexpected {self.text[self.at :].strip()[:20]!r} in signature {self.text!r}"
            )


def parse_type(text: str) -> SqlType:
    """Parse a type such as `ARRAY<STRUCT<STEP INTEGER, MEAN DOUBLE>>`; raises SignatureError."""
    reader = _Reader(text)
    result = reader.type()
    reader.end()
    return result


def parse_signature(text: str) -> Signature:
    """Parse `NAME(arg TYPE, ...) -> TYPE`; three dots after the last type make it variadic."""
    reader = _Reader(text)
    name = reader.take().upper()
    if not name.isidentifier():
        raise SignatureError(f"{name!r} is no function name in signature {text!r}")
    reader.take("(")
    arguments: list[tuple[str, SqlType]] = []
    variadic = False
    while reader.peek() != ")":
        if variadic:
            raise SignatureError(f"only the last argument may be variadic in signature {text!r}")
        if arguments:
            reader.take(",")
        arguments.append((reader.take(), reader.type()))
        if reader.peek() == "...":
            reader.take()
            variadic = True
    reader.take(")")
    reader.take("->")
    returns = reader.type()
    reader.end()
    return Signature(name, tuple(arguments), returns, variadic)


def detail_type(value: SqlType) -> SqlType:
    """The STRUCT that the `_DETAIL` form of a function with that result returns."""
    return SqlType(
        "STRUCT",
        (value, *(parse_type(t) for t in _DETAIL_TYPES)),
        ("VALUE", "STATUS", "MODEL", "VERSION", "SCORED_AT", "REASON", "ATTRIBUTIONS"),
    )


_DETAIL_TYPES: Final = ("VARCHAR", "VARCHAR", "INTEGER", "TIMESTAMP", "VARCHAR", "MAP<VARCHAR, DOUBLE>")
