"""Numbers as Java 17 prints, parses, narrows and wraps them."""

from __future__ import annotations

import math
import re
import struct
from typing import Final

_MANTISSA_BITS: Final = 52
_SINGLE: Final = struct.Struct(">f")
_LARGEST: Final = 3.4028235677973366e38  # what still rounds to a single-precision number
_EXACT: Final = float(1 << 53)
_LONG_BITS: Final = 62
_JAVA_DOUBLE: Final = re.compile(
    r"[+-]?(?:NaN|Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fFdD]?"
    r"|0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?\d+[fFdD]?)",
    re.ASCII,
)
_CONTROL_AND_SPACE: Final = "".join(map(chr, range(33)))


def double_to_string(value: float) -> str:
    """Text of a double as `Double.toString` of Java 17 gives it (which is not always the shortest)."""
    if value != value:
        return "NaN"
    magnitude = abs(value)
    if magnitude == math.inf:
        return "Infinity" if value > 0 else "-Infinity"
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if magnitude == 0:
        return sign + "0.0"
    if 1e-300 < magnitude < _EXACT and math.frexp(magnitude)[0] != 0.5:
        text = repr(magnitude)
        if 1e-3 <= magnitude < 1e7 and "e" not in text:
            return sign + text
        digits, exponent = _split(text)
        if len(digits) > 1:
            return sign + _layout(digits, exponent)
    return sign + _layout(*_java_digits(magnitude))


def single_to_string(value: float) -> str:
    """Text of a single-precision number as `Float.toString` gives it: the fewest digits that tell it from others."""
    magnitude = abs(value)
    if not 0 < magnitude < math.inf:
        return double_to_string(value)
    texts = (f"{magnitude:.{digits}e}" for digits in range(1, 9))
    text = next(
        t for t in texts if float(t) <= _LARGEST and _SINGLE.pack(float(t)) == _SINGLE.pack(magnitude)
    )
    return ("-" if value < 0 else "") + _layout(*_split(text))


def _split(text: str) -> tuple[str, int]:
    """Significant digits and the decimal exponent such that value = 0.digits * 10 ** exponent."""
    mantissa, _, power = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    exponent = len(whole) + int(power or 0) - (len(whole) + len(fraction) - len(digits) if digits else 0)
    return digits.rstrip("0"), exponent


def _layout(digits: str, exponent: int) -> str:
    if 0 < exponent < 8:
        if len(digits) <= exponent:
            return digits + "0" * (exponent - len(digits)) + ".0"
        return f"{digits[:exponent]}.{digits[exponent:]}"
    if -3 < exponent <= 0:
        return "0." + "0" * -exponent + digits
    return f"{digits[0]}.{digits[1:] or '0'}E{exponent - 1}"


def _java_digits(value: float) -> tuple[str, int]:
    """Digits of a positive double by Java 17's digit generation (Steele and White with its own shortcuts)."""
    bits = struct.unpack(">q", struct.pack(">d", value))[0]
    binary, fraction = bits >> _MANTISSA_BITS, bits & ((1 << _MANTISSA_BITS) - 1)
    significant = _MANTISSA_BITS + 1
    if binary == 0:
        significant = fraction.bit_length()
        shift = _MANTISSA_BITS + 1 - significant
        fraction <<= shift
        binary = 1 - shift
    else:
        fraction |= 1 << _MANTISSA_BITS
    binary -= 1023
    tail = (fraction & -fraction).bit_length() - 1
    used = _MANTISSA_BITS + 1 - tail
    tiny = max(0, used - binary - 1)
    if tiny == 0 and binary <= _LONG_BITS:
        return _integer_digits(fraction, binary, significant)

    unit = fraction / (1 << _MANTISSA_BITS)
    decimal = math.floor((unit - 1.5) * 0.289529654 + 0.176091259 + binary * 0.301029995663981)
    b5, s5 = max(0, -decimal), max(0, decimal)
    b2, s2 = b5 + tiny + binary, s5 + tiny
    m2 = b2 - significant
    b2 -= used - 1
    common = min(b2, s2)
    b2, s2, m2 = b2 - common, s2 - common, m2 - common
    if used == 1:
        m2 -= 1
    if m2 < 0:
        b2, s2, m2 = b2 - m2, s2 - m2, 0
    b = ((fraction >> tail) * 5**b5) << b2
    s = 5**s5 << s2
    m = 5**b5 << m2
    # Java's word-sized paths exclude the upper bound, its big-integer path includes it.
    b_bits = used + b2 + (b5 and (5**b5).bit_length())
    words = b_bits < 64 and s2 + 1 + (5 ** (s5 + 1)).bit_length() < 64
    tens = s * 10
    out: list[int] = []

    def ends() -> tuple[bool, bool]:
        return b < m, (b + m > tens if words else b + m >= tens)

    q, b = divmod(b, s)
    b, m = b * 10, m * 10
    low, high = ends()
    if q == 0 and not high:
        decimal -= 1
    else:
        out.append(q)
    if decimal < -3 or decimal >= 8:
        low = high = False
    while not low and not high:
        q, b = divmod(b, s)
        b, m = b * 10, m * 10
        low, high = ends()
        out.append(q)
    if high and (not low or 2 * b > tens or (2 * b == tens and out[-1] & 1)):
        text = str(int("".join(map(str, out))) + 1)
        decimal += len(text) - len(out)
    else:
        text = "".join(map(str, out))
    return text.rstrip("0") or "0", decimal + 1


def _integer_digits(fraction: int, binary: int, significant: int) -> tuple[str, int]:
    spare = binary - significant - 1
    whole = (
        fraction << binary - _MANTISSA_BITS
        if binary >= _MANTISSA_BITS
        else fraction >> _MANTISSA_BITS - binary
    )
    drop = len(str(1 << spare)) - 1 if spare > 1 else 0
    if drop:
        whole, rest = divmod(whole, 10**drop)
        whole += rest >= 10**drop >> 1
    text = str(whole)
    return text.rstrip("0"), len(text) + drop


def string_to_double(text: str) -> float:
    """A double from text as `Double.parseDouble` reads it. Raises ValueError."""
    trimmed = text.strip(_CONTROL_AND_SPACE)
    if not _JAVA_DOUBLE.fullmatch(trimmed):
        raise ValueError("empty String" if not trimmed else f'For input string: "{text}"')
    if trimmed.lstrip("+-")[:2] in ("0x", "0X"):
        try:
            return float.fromhex(trimmed.rstrip("fFdD") if "p" in trimmed.lower() else trimmed)
        except OverflowError:
            return -math.inf if trimmed[0] == "-" else math.inf
    return float(trimmed if trimmed[-1] in "Nny" else trimmed.rstrip("fFdD"))


def wrap_int(value: int) -> int:
    """Wrap to 32 bits, two's complement."""
    return (value + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def wrap_long(value: int) -> int:
    """Wrap to 64 bits, two's complement."""
    return (value + 0x8000000000000000 & 0xFFFFFFFFFFFFFFFF) - 0x8000000000000000


def double_to_long(value: float, bits: int = 64) -> int:
    """Java's narrowing of a double to an integer: towards zero, NaN is 0, saturating."""
    if value != value:
        return 0
    limit = 1 << bits - 1
    if value >= limit:
        return limit - 1
    if value <= -limit:
        return -limit
    return int(value)


def utf16_length(text: str) -> int:
    """Length of a string as Java counts it, in UTF-16 units."""
    if text.isascii():
        return len(text)
    return len(text) + sum(c > "\uffff" for c in text)
