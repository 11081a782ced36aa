"""Types of parameters as function signatures write them, and the parser of signature text.

A signature reads as ksqlDB prints it, with the result added: `INSTR(VARCHAR str, INT pos) -> INT`,
`FILTER(ARRAY<T> array, LAMBDA (T) => BOOLEAN function) -> ARRAY<T>`, `CONCAT(VARCHAR... inputs) -> VARCHAR`.
In aggregates a semicolon comes before the constant arguments: `TOPK(INT val1, ANY... val2; INT k)`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.functions.contract import INTERVAL_UNIT

_TO_SQL: Final[dict[str, T.SqlType]] = {
    "BOOLEAN": T.BOOLEAN,
    "INT": T.INTEGER,
    "BIGINT": T.BIGINT,
    "DOUBLE": T.DOUBLE,
    "VARCHAR": T.STRING,
    "BYTES": T.BYTES,
    "TIME": T.TIME,
    "DATE": T.DATE,
    "TIMESTAMP": T.TIMESTAMP,
    "INTERVAL UNIT": INTERVAL_UNIT,
}
_FROM_SQL: Final = {sql: kind for kind, sql in _TO_SQL.items()}
_ALIASES: Final = {"INTEGER": "INT", "STRING": "VARCHAR"}
_TOKEN: Final = re.compile(r"\s*(INTERVAL UNIT|[A-Za-z_]\w*|`[^`]+`|\d+|=>|\.\.\.|[<>(),])")
_TYPE_START: Final = re.compile(
    r"\s*(?:INTERVAL UNIT|BOOLEAN|INT|INTEGER|BIGINT|DOUBLE|DECIMAL|VARCHAR|STRING|BYTES|TIME|DATE|TIMESTAMP"
    r"|ANY|ARRAY|MAP|STRUCT|LAMBDA|[A-Z])\b"
)


@dataclass(frozen=True, slots=True)
class ParamType:
    """A type of a parameter. `kind` is a ksqlDB type name, ARRAY, MAP, STRUCT, LAMBDA (result last), ANY,
    DECIMAL (any precision unless `decimal` is set) or GENERIC; `names`: field names or the generic's name."""

    kind: str
    args: tuple[ParamType, ...] = ()
    names: tuple[str, ...] = ()
    decimal: T.Decimal | None = None

    @property
    def generic(self) -> bool:
        """Whether a type variable occurs in it."""
        return self.kind == "GENERIC" or any(a.generic for a in self.args)

    def __str__(self) -> str:
        if self.kind == "GENERIC":
            return self.names[0]
        if self.kind == "LAMBDA":
            return f"LAMBDA ({', '.join(map(str, self.args[:-1]))}) => {self.args[-1]}"
        if self.kind == "STRUCT" and self.names:  # one without fields takes any
            return f"STRUCT<{', '.join(f'{n} {a}' for n, a in zip(self.names, self.args, strict=True))}>"
        return f"{self.kind}<{', '.join(map(str, self.args))}>" if self.args else self.kind


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter; a variadic one takes any number of arguments of its type."""

    type: ParamType
    name: str = ""
    variadic: bool = False

    def __str__(self) -> str:
        text = f"{self.type}..." if self.variadic else str(self.type)
        return f"{text} {self.name}" if self.name else text


@dataclass(frozen=True, slots=True)
class Signature:
    """A parsed signature. The last `constants` parameters configure an aggregate."""

    name: str
    params: tuple[Param, ...]
    returns: ParamType | None
    constants: int = 0

    @property
    def variadic(self) -> int:
        """Index of the variadic parameter, or -1."""
        return next((i for i, p in enumerate(self.params) if p.variadic), -1)

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.params))})"


class _TypeReader:
    """Reads one type from the front of a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0

    def take(self) -> str:
        found = _TOKEN.match(self.text, self.pos)
        if not found:
            raise ValueError(f"Not a type: {self.text!r}")
        self.pos = found.end()
        return found[1]

    def peek(self) -> str:
        found = _TOKEN.match(self.text, self.pos)
        return found[1] if found else ""

    def expect(self, token: str) -> None:
        if self.take() != token:
            raise ValueError(f"Expected {token!r} at {self.pos} in {self.text!r}")

    def items(self, close: str) -> list[ParamType]:
        found: list[ParamType] = []
        while self.peek() != close:
            found.append(self.type())
            if self.peek() == ",":
                self.take()
        self.expect(close)
        return found

    def type(self) -> ParamType:
        word = self.take()
        kind = _ALIASES.get(word.upper(), word.upper())
        if kind in ("ARRAY", "MAP"):
            self.expect("<")
            return ParamType(kind, tuple(self.items(">")))
        if kind == "LAMBDA":
            self.expect("(")
            params = self.items(")")
            self.expect("=>")
            return ParamType(kind, (*params, self.type()))
        if kind == "STRUCT":
            return self.struct()
        if kind == "DECIMAL":
            return self.decimal()
        if kind in _TO_SQL or kind == "ANY":
            return ParamType(kind)
        if len(word) == 1 and word.isupper():
            return ParamType("GENERIC", names=(word,))
        raise ValueError(f"Unknown type {word!r} in {self.text!r}")

    def struct(self) -> ParamType:
        self.expect("<")
        names: list[str] = []
        fields: list[ParamType] = []
        while self.peek() != ">":
            name = self.take()
            names.append(name[1:-1] if name[0] == "`" else name.upper())
            fields.append(self.type())
            if self.peek() == ",":
                self.take()
        self.expect(">")
        return ParamType("STRUCT", tuple(fields), tuple(names))

    def decimal(self) -> ParamType:
        if self.peek() != "(":
            return ParamType("DECIMAL")
        self.take()
        precision = int(self.take())
        self.expect(",")
        scale = int(self.take())
        self.expect(")")
        return ParamType("DECIMAL", decimal=T.Decimal(precision, scale))


def parse_param_type(text: str) -> ParamType:
    """A parameter type from its text. Raises ValueError."""
    return _TypeReader(text).type()


def _split(text: str) -> list[str]:
    """Cut a parameter list at its commas; a comma inside a name stays (some of ksqlDB's names have one)."""
    parts: list[str] = []
    depth, start = 0, 0
    for i, char in enumerate(text):
        if char in "<(":
            depth += 1
        elif char == ")" or (char == ">" and text[i - 1] != "="):
            depth -= 1
        elif char == "," and depth == 0 and _TYPE_START.match(text, i + 1):
            parts.append(text[start:i])
            start = i + 1
    if text.strip():
        parts.append(text[start:])
    return parts


def _param(text: str) -> Param:
    reader = _TypeReader(text)
    kind = reader.type()
    variadic = reader.peek() == "..."
    if variadic:
        reader.take()
    return Param(kind, text[reader.pos :].strip(), variadic)


def parse_signature(text: str) -> Signature:
    """A signature from its text. Raises ValueError."""
    head, arrow, result = text.rpartition(" -> ")
    name, _, body = (head if arrow else text).partition("(")
    columns, _, constants = body.rstrip().removesuffix(")").partition(";")
    fixed = [_param(p) for p in _split(constants)]
    params = (*(_param(p) for p in _split(columns)), *fixed)
    return Signature(name.strip(), params, parse_param_type(result) if arrow else None, len(fixed))


def from_sql(sql: T.SqlType) -> ParamType:
    """The parameter type that declares a SQL type."""
    match sql:
        case T.Primitive():
            return ParamType(_FROM_SQL[sql])
        case T.Decimal():
            return ParamType("DECIMAL", decimal=sql)
        case T.Array():
            return ParamType("ARRAY", (from_sql(sql.item),))
        case T.Map():
            return ParamType("MAP", (from_sql(sql.key), from_sql(sql.value)))
        case T.Struct():
            return ParamType(
                "STRUCT", tuple(from_sql(t) for _, t in sql.fields), tuple(n for n, _ in sql.fields)
            )
        case T.Named():
            raise ValueError(f"The type {sql} must be resolved before it can be a parameter.")


def to_sql(kind: ParamType, generics: Mapping[str, T.SqlType]) -> T.SqlType:
    """The SQL type with type variables replaced. Raises KeyError for an unknown one."""
    match kind.kind:
        case "GENERIC":
            return generics[kind.names[0]]
        case "ARRAY":
            return T.Array(to_sql(kind.args[0], generics))
        case "MAP":
            return T.Map(to_sql(kind.args[0], generics), to_sql(kind.args[1], generics))
        case "STRUCT":
            return T.Struct(
                tuple((n, to_sql(a, generics)) for n, a in zip(kind.names, kind.args, strict=True))
            )
        case "DECIMAL" if kind.decimal:
            return kind.decimal
        case name:
            return _TO_SQL[name]
