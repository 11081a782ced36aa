"""AVRO to columns: a generated function for each pair of a writer's schema and columns.

It reads a whole record in one piece of straight code. Whatever it does not like, it leaves to the plain reader
(avro_codec and connect), which gives the same values and has the errors.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.java_numbers import single_to_string
from ksqlkit.engine.serde import connect
from ksqlkit.engine.serde.avro_schema import Node, connect_schema
from ksqlkit.engine.serde.codegen import Source, compile_function, indented
from ksqlkit.engine.serde.java_map import hash_order
from ksqlkit.engine.serde.registry import PREFIX
from ksqlkit.engine.serde.values import fit_decimal
from ksqlkit.engine.serde.varints import rest, rest_of_size

Reader = Callable[[bytes], tuple[Any, ...] | None]
ODD: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
_MOST_ITEMS: Final = 1_000_000  # of one block; more is looked at by the plain reader
_MOST_DIGITS: Final = 28  # of a decimal that arithmetic leaves as it is
_LAYOUTS: Final = {"float": struct.Struct("<f"), "double": struct.Struct("<d")}
_NAMES: Final[dict[str, object]] = {
    "Decimal": Decimal,
    "double": _LAYOUTS["double"].unpack_from,
    "fit_decimal": fit_decimal,
    "float_": _LAYOUTS["float"].unpack_from,
    "from_bytes": int.from_bytes,
    "hash_order": hash_order,
    "ODD": ODD,
    "rest": rest,
    "rest_of_size": rest_of_size,
    "single_to_string": single_to_string,
    "text_of": connect.text_of,
    "unscaled": connect.unscaled,
}


class Unfit(Exception):
    """A schema that generated code does not handle."""


def make_reader(node: Node, kind: T.SqlType, *, wrapped: bool, slow: Reader) -> Reader:
    """A reader of records (prefix included) of one schema; `slow` has the last word on odd ones.

    It is `slow` itself where the schema is not one for generated code.
    """
    source = _Source()
    try:
        if wrapped:
            if node.type not in ("record", "error") or not isinstance(kind, T.Struct):
                return slow
            body, found = source.fields(node, kind.fields)
            result = [found[name] for name, _ in kind.fields]
        else:
            body = source.value(node, kind, "v")
            result = ["v"]
        lines = [f"def read(data, at={PREFIX.size}):", "    try:"]
        lines += indented(indented(body))
        lines += [
            "        if at > len(data): raise ValueError",
            f"        return ({''.join(v + ', ' for v in result)})",
        ]
        lines += ["    except ODD:", "        return slow(data)"]
        text = "\n".join([*source.functions, *lines])
        return compile_function("read", text, _NAMES | source.names | {"slow": slow})
    except (Unfit, ValueError, SyntaxError, RecursionError, MemoryError):
        return slow


class _Source(Source):
    """Collects functions and the names they use. Code reads `data` from `at`, which it moves.

    It may move it beyond the end of the data; who calls looks at that when all is read. It never moves it back.
    """

    def __init__(self) -> None:
        super().__init__()
        self.skippers: dict[int, str] = {}

    def fields(
        self, node: Node, columns: Sequence[tuple[str, T.SqlType]]
    ) -> tuple[list[str], dict[str, str]]:
        """Lines that read a record, and the text of each column's value."""
        kinds = dict(columns)
        if len(kinds) < len(columns) or len({name for name, _ in node.fields}) < len(node.fields):
            raise Unfit
        sources = {place: column for column, place in connect.match_fields(node.fields, kinds).items()}
        lines: list[str] = []
        found = dict.fromkeys(kinds, "None")
        for i, (_, child) in enumerate(node.fields):
            column = sources.get(i)
            if column is None:
                lines += self.skip(child)
            else:
                found[column] = self.unique("v")
                lines += self.value(child, kinds[column], found[column])
        return lines, found

    def value(self, node: Node, kind: T.SqlType, v: str) -> list[str]:
        """Lines that read a value of the SQL type into the variable."""
        if node.type == "union":
            return self.union(node, lambda child: self.value(child, kind, v), f"{v} = None", kind, v)
        schema = connect_schema(node)
        match kind:
            case T.Decimal() if schema.is_decimal:
                return self.decimal(node, kind, v)
            case T.Array(item) if schema.type == "array":
                return self.array(node, item, v)
            case T.Map(key, item) if schema.type == "map":
                return self.map(node, key, item, v)
            case T.Struct(columns) if node.type in ("record", "error"):
                lines, found = self.fields(node, columns)
                return [*lines, f"{v} = {{{', '.join(f'{c!r}: {text}' for c, text in found.items())}}}"]
            case T.Primitive() if connect.takes(schema, kind):
                lines = self.scalar(node, v)
                if kind == T.STRING and schema.type != "string":
                    as_text = {"float32": "single_to_string", "int32": "str", "int64": "str"}
                    lines.append(f"{v} = {as_text.get(schema.type, 'text_of')}({v})")
                return lines
        raise Unfit

    def union(
        self, node: Node, read: Callable[[Node], list[str]], null: str, kind: T.SqlType | None, v: str
    ) -> list[str]:
        """Lines that read one of the branches; `null` is the line for the null of it."""
        several = node.single is None and kind is not None
        columns: dict[str, tuple[str, T.SqlType]] = {}
        if several:
            branches = [(n.branch, n) for n in node.items if n.type != "null"]
            if not isinstance(kind, T.Struct) or len(dict(branches)) < len(branches):
                raise Unfit
            kinds = dict(kind.fields)
            matched = connect.match_fields(branches, kinds)
            columns = {branches[i][0]: (column, kinds[column]) for column, i in matched.items()}
        tests: list[str] = []
        options = sorted(enumerate(node.items), key=lambda option: option[1].type == "null")
        for i, child in options:
            if i > 63:
                raise Unfit
            tests += [f"{'elif' if tests else 'if'} b == {2 * i}:", "    at += 1"]
            if child.type == "null":
                tests.append("    " + null)
            elif several and isinstance(kind, T.Struct):
                column, inner = columns.get(child.branch, ("", None))
                w = self.unique("v")
                tests += indented(self.skip(child) if inner is None else self.value(child, inner, w))
                parts = [f"{c!r}: {w if c == column else None}" for c, _ in kind.fields]
                tests.append(f"    {v} = {{{', '.join(parts)}}}")
            else:
                tests += indented(read(child))
        return ["b = data[at]", *tests, "else: raise ValueError"]

    def scalar(self, node: Node, v: str) -> list[str]:
        match node.type:
            case "null":
                return [f"{v} = None"]
            case "boolean":
                return [f"{v} = data[at] != 0", "at += 1"]
            case "int" | "long":
                return [*self.varint(), f"{v} = b >> 1 ^ -(b & 1)"]
            case "float":
                return [f"{v} = float_(data, at)[0]", "at += 4"]
            case "double":
                return [f"{v} = double(data, at)[0]", "at += 8"]
            case "string":
                return [*self.size(), f"{v} = data[at:e].decode()", "at = e"]
            case "bytes":
                return [*self.size(), f"{v} = data[at:e]", "at = e"]
            case "fixed":
                return [f"{v} = data[at:at + {node.size}]", f"at += {node.size}"]
            case "enum":
                symbols = self.bind("symbols", node.symbols)
                return [*self.varint(), "if b & 1: raise ValueError", f"{v} = {symbols}[b >> 1]"]
        raise Unfit

    def varint(self) -> list[str]:
        return ["b = data[at]", "at += 1", "if b > 127: b, at = rest(data, at, b)"]

    def size(self) -> list[str]:
        """`e` becomes the end of what begins at `at`."""
        return [
            "b = data[at]",
            "at += 1",
            "if b & 129: b, at = rest_of_size(data, at, b)",
            "e = at + (b >> 1)",
        ]

    def decimal(self, node: Node, kind: T.Decimal, v: str) -> list[str]:
        lines = self.scalar(node, v)
        if node.scale == kind.scale and kind.precision <= _MOST_DIGITS:
            limit = 10**kind.precision
            shifted = f".scaleb({-kind.scale})" if kind.scale else ""
            lines += [
                f"b = from_bytes({v}, 'big', signed=True)",
                f"if not {-limit} < b < {limit}: raise ValueError",
                f"{v} = Decimal(b){shifted}",
            ]
        else:
            lines.append(f"{v} = fit_decimal(unscaled({v}, {node.scale}), {self.bind('kind', kind)})")
        return lines

    def blocks(self, body: list[str]) -> list[str]:
        """Lines that do `body` for each item of an array or a map."""
        lines = [*self.varint(), "if not b: break"]
        lines += ["if b & 1:", "    c = b + 1 >> 1", *indented(self.varint()), "else: c = b >> 1"]
        lines += [f"if c > {_MOST_ITEMS}: raise ValueError", "for _ in range(c):", *indented(body)]
        return ["while True:", *indented(lines)]

    def array(self, node: Node, item: T.SqlType, v: str) -> list[str]:
        w = self.unique("v")
        return [f"{v} = []", *self.blocks([*self.value(node.items[0], item, w), f"{v}.append({w})"])]

    def map(self, node: Node, key: T.SqlType, item: T.SqlType, v: str) -> list[str]:
        k, w = self.unique("v"), self.unique("v")
        if node.type == "map":
            if key != T.STRING:
                raise Unfit
            body = [*self.scalar(Node("string"), k), *self.value(node.items[0], item, w)]
        else:
            parts = dict(node.items[0].fields)
            if list(parts) != ["key", "value"] or len(node.items[0].fields) > 2:
                raise Unfit
            body = [*self.value(parts["key"], key, k), *self.value(parts["value"], item, w)]
        return [f"{v} = {{}}", *self.blocks([*body, f"{v}[{k}] = {w}"]), f"{v} = hash_order({v}, 16)"]

    def skip(self, node: Node) -> list[str]:
        """Lines that pass over a value, and check what the plain reader checks."""
        match node.type:
            case "null":
                return []
            case "boolean":
                return ["at += 1"]
            case "int" | "long":
                return self.varint()
            case "float" | "double" | "fixed":
                return [f"at += {node.size if node.type == 'fixed' else _LAYOUTS[node.type].size}"]
            case "string" | "bytes":
                return [*self.size(), "at = e"]
            case "union":
                return self.union(node, self.skip, "pass", None, "")
            case "enum":
                return [*self.varint(), f"if b & 1 or b >> 1 >= {len(node.symbols)}: raise ValueError"]
        name = self.skippers.get(id(node))
        if name is None:  # a function, for a record may contain itself
            name = self.skippers[id(node)] = self.unique("skip")
            if node.type in ("record", "error"):
                body = [line for _, child in node.fields for line in self.skip(child)]
            else:
                key = self.skip(Node("string")) if node.type == "map" else []
                body = self.blocks([*key, *(self.skip(node.items[0]) or ["pass"])])
            self.functions += [f"def {name}(data, at):", *indented([*body, "return at"])]
        return [f"at = {name}(data, at)"]
