"""Protocol Buffers schemas: the part of the .proto language that a registry's schemas use, parsed and
written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ksqlkit.dialect import types as T

DEFAULT_NAME: Final = "ConnectDefault1"
_TOKEN: Final = re.compile(r'\s+|//[^\n]*|/\*.*?\*/|(?P<token>"[^"]*"|\'[^\']*\'|[\w.]+|[^\w\s])', re.S)
SCALARS: Final[dict[str, T.SqlType]] = {
    "double": T.DOUBLE, "float": T.DOUBLE, "int32": T.INTEGER, "sint32": T.INTEGER, "sfixed32": T.INTEGER,
    "int64": T.BIGINT, "sint64": T.BIGINT, "sfixed64": T.BIGINT, "uint32": T.BIGINT, "fixed32": T.BIGINT,
    "uint64": T.BIGINT, "fixed64": T.BIGINT, "bool": T.BOOLEAN, "string": T.STRING, "bytes": T.BYTES,
}  # fmt: skip
WRAPPERS: Final = {
    f"google.protobuf.{name}Value": scalar
    for name, scalar in {
        "Double": "double", "Float": "float", "Int64": "int64", "UInt64": "uint64", "Int32": "int32",
        "UInt32": "uint32", "Bool": "bool", "String": "string", "Bytes": "bytes",
    }.items()
}  # fmt: skip
LOGICAL: Final[dict[str, T.SqlType]] = {
    "google.protobuf.Timestamp": T.TIMESTAMP,
    "google.type.Date": T.DATE,
    "google.type.TimeOfDay": T.TIME,
}
DECIMAL: Final = "confluent.type.Decimal"
_WRITTEN: Final[dict[T.SqlType, str]] = {
    T.BOOLEAN: "bool", T.INTEGER: "int32", T.BIGINT: "int64", T.DOUBLE: "double", T.STRING: "string",
    T.BYTES: "bytes", T.TIME: "google.type.TimeOfDay", T.DATE: "google.type.Date",
    T.TIMESTAMP: "google.protobuf.Timestamp",
}  # fmt: skip
_IMPORTS: Final = {
    "confluent.type.": "confluent/type/decimal.proto",
    "google.type.Date": "google/type/date.proto",
    "google.type.TimeOfDay": "google/type/timeofday.proto",
    "google.protobuf.Timestamp": "google/protobuf/timestamp.proto",
}


@dataclass(frozen=True, slots=True)
class ProtoField:
    """A field: `type` is a scalar's or a message's name; `key` is the key type of a map; `oneof` what it is one of."""

    number: int
    name: str
    type: str
    label: str = ""  # optional, repeated or nothing
    key: str = ""
    options: tuple[tuple[str, str], ...] = ()
    oneof: str = ""
    members: tuple[ProtoField, ...] = ()  # of the field that Connect makes of a whole oneof


@dataclass(slots=True)
class Message:
    """A message with its nested messages and enums."""

    name: str
    parent: Message | None = None
    fields: list[ProtoField] = field(default_factory=list)
    messages: dict[str, Message] = field(default_factory=dict)
    enums: dict[str, dict[int, str]] = field(default_factory=dict)

    @property
    def columns(self) -> list[ProtoField]:
        """The fields as Connect sees them: first each oneof, as one field with its place in its name, then the rest."""
        oneofs = dict.fromkeys(f.oneof for f in self.fields if f.oneof)
        unions = [
            ProtoField(0, f"{name}_{i}", name, members=tuple(f for f in self.fields if f.oneof == name))
            for i, name in enumerate(oneofs)
        ]
        return unions + [f for f in self.fields if not f.oneof]

    @property
    def path(self) -> str:
        """Its full name within the file."""
        return self.name if self.parent is None else f"{self.parent.path}.{self.name}"

    def find(self, name: str) -> Message | dict[int, str] | None:
        """The message or enum a type name means here, looked for from the inside out."""
        scope: Message | None = self
        while scope is not None:
            found: Message | dict[int, str] | None = scope
            for part in name.lstrip(".").split("."):
                found = (
                    found.messages.get(part) or found.enums.get(part) if isinstance(found, Message) else None
                )
            if found is not None:
                return found
            scope = scope.parent
        short = name.rpartition(".")[2]  # a name with its package
        return self.find(short) if short != name else None


def parse_proto(text: str, imports: Sequence[str] = ()) -> Message:
    """A file as a message without fields, whose nested messages are the file's (of imported texts too).

    Raises ValueError.
    """
    root = Message("")
    for source in (text, *imports):
        tokens = [m["token"] for m in _TOKEN.finditer(source) if m["token"]]
        try:
            _Parser(tokens).body(root)
        except IndexError:
            raise ValueError("the schema ends too early") from None
    return root


def message_names(text: str) -> list[str]:
    """The full names of a file's messages, without those nested in others. Raises ValueError."""
    package = re.search(r"^\s*package\s+([\w.]+)\s*;", text, re.M)
    return [f"{package[1]}.{name}" if package else name for name in parse_proto(text).messages]


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def skip_statement(self) -> None:
        depth = 0
        while (token := self.next()) != ";" or depth:
            depth += (token == "{") - (token == "}")
            if token == "}" and depth == 0:
                return

    def body(self, message: Message) -> None:
        """Members up to the closing brace, or the end of a file."""
        while self.at < len(self.tokens):
            word = self.next()
            if word == "}":
                return
            if word == "message":
                nested = Message(self.next(), message)
                message.messages[nested.name] = nested
                self.next()
                self.body(nested)
            elif word == "enum":
                self.enum(message)
            elif word == "oneof":
                name, start = self.next(), len(message.fields)
                self.next()
                self.body(message)
                message.fields[start:] = [replace(f, oneof=name) for f in message.fields[start:]]
            elif word in ("syntax", "package", "import", "option", "reserved", "extensions", "service"):
                self.skip_statement()
            elif word != ";":
                self.field(message, word)
        if message.parent is not None:
            raise ValueError("the schema ends too early")

    def enum(self, message: Message) -> None:
        values = message.enums.setdefault(self.next(), {})
        self.next()
        while (word := self.next()) != "}":
            if word in ("option", "reserved"):
                self.skip_statement()
            elif word != ";":
                self.next()
                sign = -1 if self.tokens[self.at] == "-" else 1
                self.at += sign == -1
                values.setdefault(sign * int(self.next(), 0), word)
                self.options()

    def field(self, message: Message, word: str) -> None:
        label = word if word in ("optional", "repeated", "required") else ""
        kind, key = self.next() if label else word, ""
        if kind == "map" and self.tokens[self.at] == "<":
            _, key, _, kind, _ = (self.next() for _ in range(5))
        name, equals, number = self.next(), self.next(), self.next()
        if equals != "=" or not number.isdigit():
            raise ValueError(f"not a field: {kind} {name} {equals} {number}")
        message.fields.append(ProtoField(int(number), name, kind, label, key, self.options()))

    def options(self) -> tuple[tuple[str, str], ...]:
        """The rest of a member up to its semicolon: its options' `{ key: "precision", value: "4" }`, in any order."""
        found, entry = list[tuple[str, str]](), dict[str, str]()
        while (word := self.next()) != ";":
            if word in ("key", "value") and self.tokens[self.at] == ":":
                entry[word] = self.tokens[self.at + 1].strip("\"'")
            elif word == "}" and len(entry) == 2:
                found.append((entry["key"], entry["value"]))
                entry = {}
        return tuple(found)


def write_proto(
    columns: Sequence[tuple[str, T.SqlType]], *, nullable: str = "", name: str = DEFAULT_NAME
) -> str:
    """The schema of columns as ksqlDB registers it."""
    lines, used = _message_lines(columns, nullable, name, _Names(), "")
    imports = [
        f'import "{file}";'
        for prefix, file in _IMPORTS.items()
        if any(kind.startswith(prefix) for kind in used)
    ]
    if any(kind in WRAPPERS for kind in used):
        imports.append('import "google/protobuf/wrappers.proto";')
    head = ['syntax = "proto3";', "", *imports, *([""] if imports else [])]
    return "\n".join([*head, *lines]) + "\n"


class _Names:
    """ConnectDefault2, ConnectDefault3 ... for nested messages."""

    def __init__(self) -> None:
        self.count = 1

    def next(self) -> str:
        self.count += 1
        return f"ConnectDefault{self.count}"


def _parameter(name: str, value: int, indent: str) -> str:
    lines = ("{", f'  value: "{value}",', f'  key: "{name}"', "}")
    return "\n".join(f"{indent}      {line}" for line in lines)


def _message_lines(
    columns: Sequence[tuple[str, T.SqlType]], nullable: str, name: str, names: _Names, indent: str
) -> tuple[list[str], set[str]]:
    lines, nested, used = [], list[str](), set[str]()
    for number, (column, kind) in enumerate(columns, 1):
        label = ""
        if isinstance(kind, T.Array):
            label, kind = "repeated ", kind.item
        entry = isinstance(kind, T.Map)
        members: Sequence[tuple[str, T.SqlType]] | None = None
        if isinstance(kind, T.Map):
            label, members = "repeated ", (("key", kind.key), ("value", kind.value))
        elif isinstance(kind, T.Struct):
            members = kind.fields
        elif isinstance(kind, T.Array):
            members = (("value", kind),)
        options = ""
        if members is not None:
            text = names.next() + ("Entry" if entry else "")
            inner, more = _message_lines(members, "" if entry else nullable, text, names, indent + "  ")
            nested += ["", *inner]
            used |= more
        elif isinstance(kind, T.Decimal):
            text = DECIMAL
            options = (
                f" [(confluent.field_meta) = {{\n{indent}    params: [\n"
                + _parameter("precision", kind.precision, indent)
                + ",\n"
                + _parameter("scale", kind.scale, indent)
                + f"\n{indent}    ]\n{indent}  }}]"
            )
        else:
            text = _WRITTEN[kind]
            if nullable == "WRAPPER" and not label:
                text = next((w for w, scalar in WRAPPERS.items() if scalar == text), text)
        if nullable == "OPTIONAL" and not label:
            label = "optional "
        used.add(text)
        lines.append(f"{indent}  {label}{text} {column} = {number}{options};")
    return [f"{indent}message {name} {{", *lines, *nested, indent + "}"], used
