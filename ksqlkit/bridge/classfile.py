"""Writes Java class files: constants, methods without branches, annotations. As much of the format (JVM
specification, chapter 4) as a class needs whose methods only pass their arguments on, so no JDK is needed."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

JAVA_11: Final = 55
PUBLIC: Final = 0x0001
FINAL: Final = 0x0010
SUPER: Final = 0x0020
VARARGS: Final = 0x0080
_MAX_TEXT: Final = 65_535

_UTF8, _CLASS, _STRING, _METHOD, _NAME_TYPE = 1, 7, 8, 10, 12


def modified_utf8(text: str) -> bytes:
    """Text as class files have it: NUL in two bytes, characters past U+FFFF as two surrogates."""
    units = text.encode("utf-16-be", "surrogatepass")
    chars = struct.unpack(f">{len(units) // 2}H", units)
    return b"".join(b"\xc0\x80" if c == 0 else chr(c).encode("utf-8", "surrogatepass") for c in chars)


class Constants:
    """The constant pool; each constant once."""

    def __init__(self) -> None:
        self._index: dict[bytes, int] = {}

    def _add(self, entry: bytes) -> int:
        index = self._index.setdefault(entry, len(self._index) + 1)
        if index > 0xFFFF:
            raise ValueError("too many constants for one class")
        return index

    def utf8(self, text: str) -> int:
        """A text; raises ValueError for one over 65,535 bytes."""
        data = modified_utf8(text)
        if len(data) > _MAX_TEXT:
            raise ValueError(f"a text of {len(data)} bytes is too long for a class file")
        return self._add(struct.pack(">BH", _UTF8, len(data)) + data)

    def class_(self, name: str) -> int:
        """A class by its internal name, `java/lang/Object`."""
        return self._add(struct.pack(">BH", _CLASS, self.utf8(name)))

    def string(self, text: str) -> int:
        """A string constant."""
        return self._add(struct.pack(">BH", _STRING, self.utf8(text)))

    def method(self, owner: str, name: str, descriptor: str) -> int:
        """A method to call."""
        pair = self._add(struct.pack(">BHH", _NAME_TYPE, self.utf8(name), self.utf8(descriptor)))
        return self._add(struct.pack(">BHH", _METHOD, self.class_(owner), pair))

    def dump(self) -> bytes:
        """Count and entries."""
        return struct.pack(">H", len(self._index) + 1) + b"".join(self._index)


@dataclass(frozen=True, slots=True)
class Annotation:
    """An annotation with texts as values; `type` is an internal name."""

    type: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Method:
    """A method with its code. `signature` is the generic one where types have parameters; `parameters` holds one
    annotation per parameter."""

    name: str
    descriptor: str
    flags: int
    code: bytes
    stack: int
    locals: int
    signature: str | None = None
    annotation: Annotation | None = None
    parameters: Sequence[Annotation] = ()


@dataclass(slots=True)
class ClassFile:
    """A public final class. Build methods' code with `constants`, then `dump`."""

    name: str
    superclass: str
    annotation: Annotation
    constants: Constants = field(default_factory=Constants)
    methods: list[Method] = field(default_factory=list)

    def dump(self) -> bytes:
        """The bytes of the class file."""
        pool = self.constants
        this, parent = pool.class_(self.name), pool.class_(self.superclass)
        methods = b"".join(self._method(m) for m in self.methods)
        attributes = self._attribute("RuntimeVisibleAnnotations", b"\0\1" + self._annotation(self.annotation))
        return b"".join(
            (
                struct.pack(">IHH", 0xCAFEBABE, 0, JAVA_11),
                pool.dump(),
                struct.pack(">HHHHH", PUBLIC | FINAL | SUPER, this, parent, 0, 0),
                struct.pack(">H", len(self.methods)),
                methods,
                struct.pack(">H", 1),
                attributes,
            )
        )

    def _attribute(self, name: str, data: bytes) -> bytes:
        return struct.pack(">HI", self.constants.utf8(name), len(data)) + data

    def _annotation(self, annotation: Annotation) -> bytes:
        pool = self.constants
        out = struct.pack(">HH", pool.utf8(f"L{annotation.type};"), len(annotation.values))
        for key, text in annotation.values.items():
            out += struct.pack(">HcH", pool.utf8(key), b"s", pool.utf8(text))
        return out

    def _method(self, method: Method) -> bytes:
        code = struct.pack(">HHI", method.stack, method.locals, len(method.code)) + method.code
        attributes = [self._attribute("Code", code + b"\0\0\0\0")]
        if method.signature:
            value = struct.pack(">H", self.constants.utf8(method.signature))
            attributes.append(self._attribute("Signature", value))
        if method.annotation:
            value = b"\0\1" + self._annotation(method.annotation)
            attributes.append(self._attribute("RuntimeVisibleAnnotations", value))
        if method.parameters:
            value = bytes([len(method.parameters)])
            value += b"".join(b"\0\1" + self._annotation(a) for a in method.parameters)
            attributes.append(self._attribute("RuntimeVisibleParameterAnnotations", value))
        names = (self.constants.utf8(method.name), self.constants.utf8(method.descriptor))
        return struct.pack(">HHHH", method.flags, *names, len(attributes)) + b"".join(attributes)
