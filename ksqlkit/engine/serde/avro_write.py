"""Columns to AVRO: a generated function for each schema and columns, one expression that joins a record's pieces.

Values that it does not like go to the plain writer (avro_codec), which writes the same bytes and has the errors.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde.avro_codec import make_encoder, write_long
from ksqlkit.engine.serde.avro_read import ODD, Unfit
from ksqlkit.engine.serde.avro_schema import Node
from ksqlkit.engine.serde.codegen import Source
from ksqlkit.engine.serde.varints import sizes, small_zigzags, write_zigzag

Writer = Callable[[Sequence[Any] | None], bytes | None]
_NUMBERS: Final = frozenset({T.INTEGER, T.BIGINT, T.DOUBLE, T.TIME, T.DATE, T.TIMESTAMP})
_LAYOUTS: Final = {"float": "f", "double": "d"}


def make_writer(
    node: Node, columns: Sequence[Column], *, wrapped: bool, filled: Callable[[Node, Any], Any] | None,
    prefix: bytes, slow: Writer,
) -> Writer:  # fmt: skip
    """A writer of records of the schema; `slow` has the last word on odd values, and writes all where the schema is
    not one for generated code. With `filled`, which puts a schema's defaults into a value, the schema is another's.
    """
    source = _Source(filled)
    values = [f"v{i}" for i in range(len(columns))]
    try:
        if wrapped:
            pieces = source.fields(node, [(c.name, c.type) for c in columns], values)
        else:
            pieces = [source.text(node, columns[0].type, "v0")]
        names = {"ODD": ODD, "unscaled": unscaled, "zigzag": write_zigzag}
        return source.compile_writer(values, [repr(prefix), *pieces], names, wrapped=wrapped, slow=slow)
    except (Unfit, *ODD, SyntaxError, MemoryError):
        return slow


def unscaled(value: Decimal, scale: int) -> bytes:
    """The two's complement bytes of a decimal with that scale."""
    whole = int(value.scaleb(scale))
    size = ((whole if whole >= 0 else ~whole).bit_length() + 8) // 8
    return whole.to_bytes(size, "big", signed=True)


class _Source(Source):
    """Makes expressions for the bytes of values, and collects the names that these use."""

    def __init__(self, filled: Callable[[Node, Any], Any] | None) -> None:
        super().__init__()
        self.filled = filled

    def table(self, kind: str, tag: bytes, make: Callable[[bytes], tuple[bytes, ...]]) -> str:
        """The name of one of the tables of small numbers."""
        name = f"{kind}_{tag.hex()}"
        self.names.setdefault(name, make(tag))
        return name

    def fields(
        self, node: Node, columns: Sequence[tuple[str, T.SqlType]], values: Sequence[str]
    ) -> list[str]:
        """Expressions for a record's fields; `values` are the texts of the columns' values."""
        given = {
            name.replace(".", "_"): (kind, value) for (name, kind), value in zip(columns, values, strict=True)
        }
        if node.type not in ("record", "error") or len(given) < len(columns):
            raise Unfit
        pieces = []
        for name, child in node.fields:
            default = node.defaults.get(name) if self.filled else None
            constant = None
            if self.filled and (default is not None or name not in given):
                constant = make_encoder(child)(self.filled(child, default))
            if name in given:
                pieces.append(self.text(child, *given[name], constant))
            elif constant is not None:
                pieces.append(repr(constant))
            else:
                raise Unfit
        return pieces

    def text(self, node: Node, kind: T.SqlType, value: str, absent: bytes | None = None) -> str:
        """An expression for the bytes of a value, which `value` is the text of; `absent` are those of null."""
        tag = b""
        if node.type == "union":
            others = [(i, child) for i, child in enumerate(node.items) if child.type != "null"]
            if len(others) != 1:
                raise Unfit
            nulls = [i for i, child in enumerate(node.items) if child.type == "null"]
            if nulls and absent is None:
                absent = write_long(nulls[0])
            tag, node = write_long(others[0][0]), others[0][1]
        v, bound = value, value
        if not value.isidentifier():
            v = self.unique("w")
            bound = f"({v} := {value})"
        # None where it may not be is an error, in whichever way.
        null = "zigzag(None)" if absent is None else repr(absent)
        return f"({null} if {bound} is None else {self.present(node, kind, v, tag)})"

    def present(self, node: Node, kind: T.SqlType, v: str, tag: bytes) -> str:
        """An expression for the tag and the value in a variable, which is not null."""
        match kind:
            case T.STRING if node.type == "string":
                return self.sized(f"{v}.encode()", tag)
            case T.BYTES if node.type == "bytes":
                return self.sized(v, tag)
            case T.STRING if node.type == "enum":
                symbols = {symbol: tag + write_long(i) for i, symbol in enumerate(node.symbols)}
                return f"{self.bind('codes', symbols)}[{v}]"
            case T.BOOLEAN if node.type == "boolean":
                codes = {True: tag + b"\x01", False: tag + b"\x00"}
                return f"{self.bind('codes', codes)}[{v}]"
            case T.Decimal(_, scale) if node.type == "bytes":
                return self.sized(f"unscaled({v}, {scale})", tag)
            case T.Struct(columns):
                pieces = self.fields(node, columns, [f"{v}[{name!r}]" for name, _ in columns])
                return f"join(({', '.join([repr(tag), *pieces])},))"
            case T.Array(item) if node.type == "array":
                x = self.unique("x")
                return self.blocks(v, f"[{self.text(node.items[0], item, x)} for {x} in {v}]", tag)
            case T.Map(key, item):
                k, x = self.unique("k"), self.unique("x")
                texts = self.entry(node, key, item, k, x)
                return self.blocks(f"{v}.items()", f"[{texts} for {k}, {x} in {v}.items()]", tag)
            case T.Primitive() if kind in _NUMBERS and node.type in _LAYOUTS:
                pack = self.bind("pack", struct.Struct(f"<{len(tag)}s{_LAYOUTS[node.type]}").pack)
                return f"{pack}({tag!r}, {v})"
            case T.Primitive() if kind in _NUMBERS and node.type in ("int", "long"):
                small = self.table("small", tag, small_zigzags)
                return f"({small}[{v}] if -64 <= {v} < 64 else {f'{tag!r} + ' if tag else ''}zigzag({v}))"
        raise Unfit

    def sized(self, value: str, tag: bytes) -> str:
        """An expression for the tag, the length and the bytes that `value` is the text of."""
        b, n, table = self.unique("b"), self.unique("n"), self.table("size", tag, sizes)
        count = f"{table}[{n}] if ({n} := len({b} := {value})) < 256 else {tag!r} + zigzag({n})"
        return f"({count}) + {b}"

    def blocks(self, v: str, pieces: str, tag: bytes) -> str:
        """An expression for the tag and one block of pieces, one for each item of what `v` is the text of."""
        n, table = self.unique("n"), self.table("size", tag, sizes)
        count = f"({table}[{n}] if {n} < 256 else {tag!r} + zigzag({n}))"
        empty = repr(tag + b"\x00")
        return f"({count} + join({pieces}) + b'\\0' if ({n} := len({v})) else {empty})"

    def entry(self, node: Node, key: T.SqlType, item: T.SqlType, k: str, x: str) -> str:
        """An expression for an entry of a map, or of a list of entries."""
        if node.type == "map" and self.filled and key == T.STRING:
            return f"{self.sized(f'{k}.encode()', b'')} + {self.text(node.items[0], item, x)}"
        if node.type != "array":
            raise Unfit
        return " + ".join(self.fields(node.items[0], [("key", key), ("value", item)], [k, x]))
