"""ENCODE, TO_BYTES, FROM_BYTES and numbers from bytes."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Callable
from typing import Final

from ksqlkit.engine.functions.define import Family
from ksqlkit.engine.functions.strings import strings
from ksqlkit.errors import DataError

conversions = Family("CONVERSIONS")

_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*")
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?")


def utf8(text: str) -> bytes:
    """UTF-8 of a string; half a surrogate pair becomes a question mark."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def from_utf8(value: bytes) -> str:
    """A string from UTF-8; malformed bytes become U+FFFD."""
    return value.decode("utf-8", "replace")


def from_ascii(value: bytes) -> str:
    """A string from ASCII; other bytes become U+FFFD."""
    return value.decode("ascii", "replace")


def _from_hex(text: str) -> bytes:
    if not _HEX.fullmatch(text):
        raise DataError(f"Not an even number of hexadecimal digits: {text}")
    return bytes.fromhex(text)


def _from_base64(text: str) -> bytes:
    if not _BASE64.fullmatch(text):
        raise DataError(f"Not base64: {text}")
    return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))


def _from_loose_base64(text: str) -> bytes:
    """Base64 as commons-codec reads it: other characters are skipped, URL-safe ones accepted, a rest of 6 bits lost."""
    head = text.replace("-", "+").replace("_", "/").partition("=")[0]
    kept = re.sub(r"[^A-Za-z0-9+/]", "", head)
    kept = kept[:-1] if len(kept) % 4 == 1 else kept
    return base64.b64decode(kept + "=" * (-len(kept) % 4))


_TO_TEXT: Final[dict[str, Callable[[bytes], str]]] = {
    "hex": lambda v: v.hex().upper(),
    "utf8": from_utf8,
    "ascii": from_ascii,
    "base64": lambda v: binascii.b2a_base64(v, newline=False).decode(),
}
_TO_BYTES: Final[dict[str, Callable[[str], bytes]]] = {
    "hex": _from_hex,
    "utf8": utf8,
    "ascii": lambda t: t.encode("ascii", "replace"),
    "base64": _from_base64,
}


def _unknown(name: str) -> DataError:
    return DataError(
        f"Unknown encoding type '{name}'. Supported formats are 'hex', 'utf8', 'ascii', and 'base64'."
    )


@strings.scalar("TO_BYTES(VARCHAR value, VARCHAR encoding) -> BYTES")
def to_bytes(text: str, encoding: str) -> bytes:
    """Bytes from a string in the encoding hex, utf8, ascii or base64."""
    function = _TO_BYTES.get(encoding.lower())
    if function is None:
        raise _unknown(encoding)
    return function(text)


@strings.scalar("FROM_BYTES(BYTES value, VARCHAR encoding) -> VARCHAR")
def from_bytes(value: bytes, encoding: str) -> str:
    """A string from bytes in the encoding hex, utf8, ascii or base64."""
    function = _TO_TEXT.get(encoding.lower())
    if function is None:
        raise _unknown(encoding)
    return function(value)


def _stripped(text: str) -> str:
    """Hexadecimal digits without the marks of 0xAB and X'AB'."""
    if re.fullmatch(r"0x.*", text):
        return ("0" if len(text) % 2 else "") + text[2:]
    return text[2:-1] if re.fullmatch(r"[xX]'.*'", text) else text


_DECODE: Final = {**_TO_BYTES, "hex": lambda t: _from_hex(_stripped(t)), "base64": _from_loose_base64}
_ENCODE: Final = {**_TO_TEXT, "hex": bytes.hex}


@strings.scalar("ENCODE(VARCHAR str, VARCHAR inputEncoding, VARCHAR outputEncoding) -> VARCHAR")
def encode(text: str, source: str, target: str) -> str:
    """A string taken from one encoding to another: hex, utf8, ascii or base64."""
    before, after = source.lower(), target.lower()
    if before == after or before not in _DECODE or after not in _ENCODE:
        raise DataError("Supported input and output encodings are: hex, utf8, ascii and base64")
    return _ENCODE[after](_DECODE[before](text))


def _declare(name: str, returns: str, code: str, what: str) -> None:
    size = struct.calcsize(f">{code}")

    def convert(value: bytes, order: str = "BIG_ENDIAN") -> int | float:
        way = {"BIG_ENDIAN": ">", "LITTLE_ENDIAN": "<"}.get(order.upper())
        if way is None:
            raise DataError(f"Byte order must be BIG_ENDIAN or LITTLE_ENDIAN. Unknown byte order '{order}'.")
        if len(value) != size:
            raise DataError(f"Number of bytes must be equal to {size}, but found {len(value)}")
        number: int | float = struct.unpack(way + code, value)[0]
        return number

    convert.__doc__ = f"{what} from {size} bytes, big-endian by default; NULL for another number of bytes."
    conversions.scalar(
        f"{name}(BYTES value) -> {returns}", f"{name}(BYTES value, VARCHAR byteOrder) -> {returns}"
    )(convert)


_declare("BIGINT_FROM_BYTES", "BIGINT", "q", "A BIGINT")
_declare("DOUBLE_FROM_BYTES", "DOUBLE", "d", "A DOUBLE")
_declare("INT_FROM_BYTES", "INT", "i", "An INT")
