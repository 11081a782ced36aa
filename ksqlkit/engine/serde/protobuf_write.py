"""Columns to Protocol Buffers: a generated function for each message, one expression that joins its pieces.

Values that it does not like go to the plain writer (protobuf_wire), which writes the same bytes and has the errors.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from ksqlkit.engine.serde.avro_read import ODD
from ksqlkit.engine.serde.codegen import Source, indented
from ksqlkit.engine.serde.protobuf_wire import SIZED, Field, Kind, Layout, varint, write_message
from ksqlkit.engine.serde.varints import write_signed

Writer = Callable[[Sequence[Any] | None], bytes | None]
_INTEGERS: Final = ("int32", "int64", "uint32")


def make_writer(layout: Layout, *, prefix: bytes, wrapped: bool, slow: Writer) -> Writer:
    """A writer of messages after a prefix; `slow` has the last word on odd values."""
    source = _Source()
    try:
        values = [f"v{i}" for i in range(len(layout.places))]
        pieces = [repr(prefix), *source.pieces(layout, values)]
        names = {"ODD": ODD, "varint": write_signed}
        return source.compile_writer(values, pieces, names, wrapped=wrapped, slow=slow)
    except (SyntaxError, RecursionError, MemoryError):
        return slow


def _one(field: Field, value: Any) -> bytes:
    return write_message((field,), (value,))


def _zero(tag: bytes, pack: Callable[..., bytes], value: float) -> bytes:
    """A number that is nothing: minus zero is written."""
    written = pack(tag, value)
    return written if any(written[len(tag) :]) else b""


class _Source(Source):
    """Makes expressions for the bytes of fields, and collects the functions and names that these use."""

    def pieces(self, layout: Layout, values: Sequence[str]) -> list[str]:
        """Expressions for a message's fields; `values` are the variables of its columns."""
        pieces = []
        for i, place in enumerate(layout.places):
            if place is not None:
                pieces.append(self.piece(layout.fields[place], values[i], i in layout.maps))
        for i, kind, _ in layout.unions:
            assert kind.layout is not None
            pieces.append(
                f"(b'' if {values[i]} is None else {self.function(kind, kind.layout)}({values[i]}))"
            )
        return pieces

    def piece(self, field: Field, v: str, is_map: bool) -> str:
        """An expression for a field with its tag; nothing for null and defaults."""
        kind, tag = field.kind, varint(field.number << 3 | field.kind.wire)
        empty = tag + b"\x00" if field.explicit else b""
        if field.repeated:
            text = self.repeated(field, f"{v}.items()" if is_map else v)
        elif kind.wire == SIZED and (payload := self.payload(kind, v)) is not None:
            text = self.sized(payload, tag, tag + b"\x00" if kind.default is None else empty)
        elif kind.code in _INTEGERS:
            small = self.bind("small", (empty, *(tag + bytes([i]) for i in range(1, 128))))
            text = f"{small}[{v}] if 0 <= {v} < 128 else {tag!r} + varint({v})"
        elif kind.code == "bool":
            yes = tag + b"\x01"
            text = f"{yes!r} if {v} else {empty!r}"
        elif kind.code[:1] == "<":
            layout = struct.Struct(f"<{len(tag)}s{kind.code[1:]}")
            text = f"{self.bind('pack', layout.pack)}({tag!r}, {v})"
            if not field.explicit:
                text += f" if {v} else {self.bind('zero', partial(_zero, tag, layout.pack))}({v})"
        else:
            text = f"{self.bind('one', partial(_one, field))}({v})"
        return f"(b'' if {v} is None else {text})"

    def repeated(self, field: Field, values: str) -> str:
        """An expression for the fields of a list, or for the one field that packs its numbers."""
        kind, x = field.kind, self.unique("x")
        if kind.wire == SIZED:
            tag = varint(field.number << 3 | SIZED)
            payload = self.payload(kind, x)
            if payload is None:
                return f"{self.bind('one', partial(_one, field))}(list({values}))"
            item = self.sized(payload, tag, tag + b"\x00")
            absent = "varint(None)" if kind.default is None else repr(tag + b"\x00")
            return f"join([{absent} if {x} is None else {item} for {x} in {values}])"
        written = f"varint({x})" if kind.code in _INTEGERS else f"{self.bind('write', kind.write)}({x})"
        items = f"[{kind.write(kind.default)!r} if {x} is None else {written} for {x} in {values}]"
        return self.sized(f"join({items})", varint(field.number << 3 | SIZED), b"")

    def payload(self, kind: Kind, v: str) -> str | None:
        """An expression for text, bytes or a message; None for kinds that are written in a way of their own."""
        if kind.code == "string":
            return f"{v}.encode()"
        if kind.code == "bytes":
            return f"b'' + {v}"
        return None if kind.layout is None else f"{self.function(kind, kind.layout)}({v})"

    def sized(self, payload: str, tag: bytes, empty: bytes) -> str:
        """An expression for the tag, the size and the payload; `empty` for no bytes."""
        b, n = self.unique("b"), self.unique("n")
        name = f"sizes_{tag.hex()}"
        self.names[name] = tuple(tag + bytes([i]) for i in range(128))
        head = f"({name}[{n}] if {n} < 128 else {tag!r} + varint({n}))"
        return f"({head} + {b} if ({n} := len({b} := {payload})) else {empty!r})"

    def function(self, kind: Kind, layout: Layout) -> str:
        """The name of a function from the value of a message to its bytes."""
        name = self.unique("message")
        values = [self.unique("a") for _ in layout.places]
        if kind.names is not None:
            lines = [f"{v} = value[{column!r}]" for v, column in zip(values, kind.names, strict=True)]
        else:
            lines = [f"({''.join(v + ', ' for v in values)}) = {self.bind('split', kind.split)}(value)"]
        pieces = ", ".join(self.pieces(layout, values))
        lines.append(f"return join(({pieces},))" if pieces else "return b''")
        self.functions += [f"def {name}(value):", *indented(lines)]
        return name
