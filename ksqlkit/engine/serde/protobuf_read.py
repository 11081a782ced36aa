"""Protocol Buffers to columns: a generated function for each message and columns.

Fields are looked for in the order of their numbers, as writers put them, again and again until the message ends.
Whatever the function does not like it leaves to the plain reader (protobuf_wire), which has the errors.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from ksqlkit.engine.serde.avro_read import ODD, Unfit
from ksqlkit.engine.serde.codegen import Source, compile_function, indented
from ksqlkit.engine.serde.java_map import hash_order
from ksqlkit.engine.serde.protobuf_wire import (
    FIXED32,
    FIXED64,
    SIZED,
    VARINT,
    Field,
    Kind,
    Layout,
    read_varint,
    varint,
)
from ksqlkit.engine.serde.varints import rest

Reader = Callable[..., tuple[Any, ...]]  # of data, and the position of the message in it
_PACKABLE: Final = (VARINT, FIXED64, FIXED32)


def make_reader(layout: Layout, start: int, slow: Reader) -> Reader:
    """A reader of messages that begin at `start` of the data unless it is told where; `slow` has the last word."""
    source = _Source()
    try:
        body, row = source.fields(layout)
        lines = [f"def read(data, at={start}):", "    begin = at", "    try:", *indented(indented(body))]
        lines += [f"        return ({''.join(v + ', ' for v in row)})", "    except ODD:"]
        lines.append("        return slow(data, begin)")
        names = source.names | {
            "hash_order": hash_order,
            "ODD": ODD,
            "rest": rest,
            "skip": skip,
            "slow": slow,
        }
        names["unpack"] = struct.unpack_from
        return compile_function("read", "\n".join([*source.functions, *lines]), names)
    except (Unfit, SyntaxError, RecursionError, MemoryError):
        return lambda data, at=start: slow(data, at)


def skip(data: bytes, at: int, end: int, tags: frozenset[int], numbers: frozenset[int]) -> int:
    """Where the unknown field that begins at a position ends. Raises ValueError for one of the tags or numbers."""
    tag, at = read_varint(data, at)
    if tag in tags or tag >> 3 in numbers or tag < 8:
        raise ValueError("a known field, oddly written")
    match tag & 7:
        case 0:
            _, at = read_varint(data, at)
        case 1:
            at += 8
        case 2:
            size, at = read_varint(data, at)
            at += size
        case 5:
            at += 4
        case _:
            raise ValueError("no wire type")
    if at > end:
        raise ValueError("beyond the end")
    return at


class _Source(Source):
    """Collects functions of messages, and the names they use. Code reads `d`, the data and a zero, from `at` to `n`."""

    def fields(self, layout: Layout) -> tuple[list[str], list[str]]:
        """Lines that read a message of `data`, and the texts of its columns."""
        values = [self.unique("v") for _ in layout.fields]
        pairs = list(zip(layout.fields, values, strict=True))
        row = ["None" if place is None else values[place] for place in layout.places]
        for i, kind, _ in layout.unions:
            members, row[i] = self.union(kind)
            pairs += members
        pairs.sort(key=lambda pair: pair[0].number)
        numbers = [f.number for f, _ in pairs]
        if len(set(numbers)) < len(numbers):
            raise Unfit
        tags = set[int]()
        lines = ["n = len(data)", "d = data + b'\\0'"]
        lines += [f"{v} = {[] if f.repeated else None if f.explicit else f.kind.default!r}" for f, v in pairs]
        lines += ["while at < n:", "    begun = at", "    b = d[at]"]
        for field, v in pairs:
            lines += indented(self.field(field, v, tags))
        members_of = frozenset[int]().union(*(numbers for _, _, numbers in layout.unions))
        known = f"{self.bind('tags', frozenset(tags))}, {self.bind('numbers', members_of)}"
        lines.append(f"    if at == begun: at = skip(d, at, n, {known})")
        for i in layout.maps:
            row[i] = f"hash_order(dict({row[i]}), 16)"
        return lines, row

    def union(self, kind: Kind) -> tuple[list[tuple[Field, str]], str]:
        """The fields of a oneof, which are the message's own, and the text of its value: null if none is there."""
        inner = kind.layout
        if inner is None or kind.names is None or inner.maps or inner.unions or not inner.fields:
            raise Unfit
        if any(f.repeated or not f.explicit for f in inner.fields):
            raise Unfit
        values = [self.unique("v") for _ in inner.fields]
        row = ["None" if place is None else values[place] for place in inner.places]
        absent = " and ".join(f"{v} is None" for v in values)
        pairs = ", ".join(f"{n!r}: {v}" for n, v in zip(kind.names, row, strict=True))
        return list(zip(inner.fields, values, strict=True)), f"None if {absent} else {{{pairs}}}"

    def field(self, field: Field, v: str, tags: set[int]) -> list[str]:
        """Lines that read the field, if it is what comes next, into the variable."""
        kind = field.kind
        if not field.repeated:
            tags.add(field.number << 3 | kind.wire)
            test, size = self.test(field.number << 3 | kind.wire)
            return [f"if {test}:", *indented([f"at += {size}", *self.value(kind, v), "b = d[at]"])]
        w = self.unique("v")
        tags.add(field.number << 3 | kind.wire)
        test, size = self.test(field.number << 3 | kind.wire)
        body = [f"at += {size}", *self.value(kind, w), f"{v}.append({w})", "b = d[at]"]
        lines = [f"while {test}:", *indented(body)]
        if kind.wire in _PACKABLE:
            tags.add(field.number << 3 | SIZED)
            test, size = self.test(field.number << 3 | SIZED)
            body = [f"at += {size}", *self.varint(), "e = at + b"]
            if kind.code[:1] == "<":
                width = 8 if kind.wire == FIXED64 else 4
                body += [f"if b % {width}: raise ValueError"]
                body += [f"{v} += unpack('<%d{kind.code[1:]}' % (b // {width}), d, at)", "at = e"]
            else:
                body += ["while at < e:", *indented([*self.value(kind, w), f"{v}.append({w})"])]
                body += ["if at != e: raise ValueError"]
            lines += [f"while {test}:", *indented([*body, "b = d[at]"])]
        return lines

    def test(self, tag: int) -> tuple[str, int]:
        """A test for a tag at `at`, whose first byte is in `b`, and its size."""
        written = varint(tag)
        more = "".join(f" and d[at + {i}] == {byte}" for i, byte in enumerate(written) if i)
        return f"b == {written[0]}{more}", len(written)

    def varint(self) -> list[str]:
        return ["b = d[at]", "at += 1", "if b > 127: b, at = rest(d, at, b)"]

    def value(self, kind: Kind, v: str) -> list[str]:
        """Lines that read one value without its tag into the variable."""
        if kind.code[:1] == "<":
            unpack = self.bind("unpack", struct.Struct(kind.code).unpack_from)
            return [f"{v} = {unpack}(d, at)[0]", f"at += {8 if kind.wire == FIXED64 else 4}"]
        if kind.wire == VARINT:
            lines = self.varint()
            match kind.code:
                case "bool":
                    return [*lines, f"{v} = b != 0"]
                case "zigzag":
                    return [*lines, f"{v} = b >> 1 ^ -(b & 1)"]
                case "uint32":
                    return [*lines, f"{v} = b & {0xFFFFFFFF}"]
                case "int32" | "int64":
                    half = 1 << (31 if kind.code == "int32" else 63)
                    signed = f"    b = (b & {2 * half - 1} ^ {half}) - {half}"
                    return [*lines[:2], "if b > 127:", "    b, at = rest(d, at, b)", signed, f"{v} = b"]
            return [*lines, f"{v} = {self.bind('read', kind.read)}(b)"]
        if kind.wire != SIZED:
            size = 8 if kind.wire == FIXED64 else 4
            return [f"{v} = {self.bind('read', kind.read)}(d[at:at + {size}])", f"at += {size}"]
        part = "d[at:e]"
        if kind.code == "string":
            text = f"{part}.decode()"
        elif kind.code == "bytes":
            text = part
        elif kind.layout is not None:
            text = f"{self.function(kind, kind.layout)}({part})"
        else:
            text = f"{self.bind('read', kind.read)}({part})"
        return [*self.varint(), "e = at + b", f"{v} = {text}", "at = e"]

    def function(self, kind: Kind, layout: Layout) -> str:
        """The name of a function that reads a message inside another."""
        name = self.unique("message")
        lines, row = self.fields(layout)
        if kind.names is not None:
            pairs = zip(kind.names, row, strict=True)
            result = f"{{{', '.join(f'{n!r}: {v}' for n, v in pairs)}}}"
        else:
            result = f"{self.bind('join', kind.join)}([{', '.join(row)}])"
        self.functions += [f"def {name}(data):", "    at = 0", *indented([*lines, f"return {result}"])]
        return name
