"""Functions of java.lang.StrictMath whose last digit differs from that of the C library.

The algorithms are those of Sun's fdlibm ("Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Permission
to use, copy, modify, and distribute this software is freely granted, provided that this notice is preserved."), which
Java prescribes to the bit.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final

_HALF_PI: Final = 1.57079632679489655800e00
_HALF_PI_LOW: Final = 6.12323399573676603587e-17
_QUARTER_PI: Final = 7.85398163397448278999e-01
_PI_LOW: Final = 1.2246467991473531772e-16


def _high(value: float) -> int:
    """The upper 32 bits of a double."""
    return int(struct.unpack(">i", struct.pack(">d", value)[:4])[0])


def _without_low(value: float) -> float:
    """The double with its lower 32 bits cleared."""
    return float(struct.unpack(">d", struct.pack(">d", value)[:4] + bytes(4))[0])


def _from_high(high: int) -> float:
    return float(struct.unpack(">d", struct.pack(">iI", high, 0))[0])


def _polynomial(x: float, coefficients: Sequence[float]) -> float:
    """c0 + x * (c1 + x * (c2 + ...))."""
    total = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = c + x * total
    return total


def cbrt(value: float) -> float:
    """StrictMath.cbrt."""
    if value == 0 or not math.isfinite(value):
        return value
    x = abs(value)
    if x < 2.2250738585072014e-308:
        t = _from_high(_high(x * 18014398509481984.0) // 3 + 696219795)
    else:
        t = _from_high(_high(x) // 3 + 715094163)
    s = 5.42857142857142815906e-01 + t * t / x * t
    t *= 3.57142857142857150787e-01 + 1.60714285714285720630e00 / (
        s + 1.41428571428571436819e00 + -7.05306122448979611050e-01 / s
    )
    t = _from_high(_high(t) + 1)
    r = x / (t * t)
    return math.copysign(t + t * ((r - t) / (t + t + r)), value)


_ATAN: Final = (
    (4.63647609000806093515e-01, 2.26987774529616870924e-17),
    (7.85398163397448278999e-01, 3.06161699786838301793e-17),
    (9.82793723247329054082e-01, 1.39033110312309984516e-17),
    (_HALF_PI, _HALF_PI_LOW),
)
_ATAN_EVEN: Final = (
    3.33333333333329318027e-01,
    1.42857142725034663711e-01,
    9.09088713343650656196e-02,
    6.66107313738753120669e-02,
    4.97687799461593236017e-02,
    1.62858201153657823623e-02,
)
_ATAN_ODD: Final = (
    -1.99999999998764832476e-01,
    -1.11111104054623557880e-01,
    -7.69187620504482999495e-02,
    -5.83357013379057348645e-02,
    -3.65315727442169155270e-02,
)


def atan(value: float) -> float:
    """StrictMath.atan."""
    x = abs(value)
    if value != value or x < 2.0**-29:
        return value
    if x >= 2.0**66:
        return math.copysign(_HALF_PI + _HALF_PI_LOW, value)
    part = None
    if x < 0.4375:
        pass
    elif x < 0.6875:
        part, x = _ATAN[0], (2.0 * x - 1.0) / (2.0 + x)
    elif x < 1.1875:
        part, x = _ATAN[1], (x - 1.0) / (x + 1.0)
    elif x < 2.4375:
        part, x = _ATAN[2], (x - 1.5) / (1.0 + 1.5 * x)
    else:
        part, x = _ATAN[3], -1.0 / x
    z = x * x
    w = z * z
    s = z * _polynomial(w, _ATAN_EVEN) + w * _polynomial(w, _ATAN_ODD)
    result = x - x * s if part is None else part[0] - ((x * s - part[1]) - x)
    return math.copysign(result, value)


def atan2(y: float, x: float) -> float:
    """StrictMath.atan2."""
    if not (math.isfinite(x) and math.isfinite(y) and x and y):
        return math.atan2(y, x)
    if x == 1.0:
        return atan(y)
    gap = (_high(abs(y)) - _high(abs(x))) >> 20
    if gap > 60:
        z = _HALF_PI + 0.5 * _PI_LOW
    else:
        z = 0.0 if x < 0 and gap < -60 else atan(abs(y / x))
    if x > 0:
        return math.copysign(z, y)
    return math.pi - (z - _PI_LOW) if y > 0 else (z - _PI_LOW) - math.pi


_ASIN_P: Final = (
    1.66666666666666657415e-01,
    -3.25565818622400915405e-01,
    2.01212532134862925881e-01,
    -4.00555345006794114027e-02,
    7.91534994289814532176e-04,
    3.47933107596021167570e-05,
)
_ASIN_Q: Final = (
    1.0,
    -2.40339491173441421878e00,
    2.02094576023350569471e00,
    -6.88283971605453293030e-01,
    7.70381505559019352791e-02,
)


def asin(value: float) -> float:
    """StrictMath.asin."""
    x = abs(value)
    if not x <= 1:
        return math.nan
    if x == 1:
        return value * _HALF_PI + value * _HALF_PI_LOW
    if x < 0.5:
        if x < 2.0**-27:
            return value
        t = value * value
        return value + value * (t * _polynomial(t, _ASIN_P) / _polynomial(t, _ASIN_Q))
    t = (1.0 - x) * 0.5
    r = t * _polynomial(t, _ASIN_P) / _polynomial(t, _ASIN_Q)
    s = math.sqrt(t)
    if _high(x) >= 0x3FEF3333:
        result = _HALF_PI - (2.0 * (s + s * r) - _HALF_PI_LOW)
    else:
        w = _without_low(s)
        c = (t - w * w) / (s + w)
        p = 2.0 * s * r - (_HALF_PI_LOW - 2.0 * c)
        result = _QUARTER_PI - (p - (_QUARTER_PI - 2.0 * w))
    return math.copysign(result, value)


def acos(value: float) -> float:
    """StrictMath.acos."""
    x = abs(value)
    if not x <= 1:
        return math.nan
    if x == 1:
        return 0.0 if value > 0 else math.pi + 2.0 * _HALF_PI_LOW
    if x < 0.5:
        if x < 2.0**-57:
            return _HALF_PI + _HALF_PI_LOW
        z = value * value
        r = z * _polynomial(z, _ASIN_P) / _polynomial(z, _ASIN_Q)
        return _HALF_PI - (value - (_HALF_PI_LOW - value * r))
    z = (1.0 - x) * 0.5
    s = math.sqrt(z)
    r = z * _polynomial(z, _ASIN_P) / _polynomial(z, _ASIN_Q)
    if value < 0:
        return math.pi - 2.0 * (s + (r * s - _HALF_PI_LOW))
    d = _without_low(s)
    return 2.0 * (d + (r * s + (z - d * d) / (s + d)))


_EXP: Final = (
    1.66666666666666019037e-01,
    -2.77777777770155933842e-03,
    6.61375632143793436117e-05,
    -1.65339022054652515390e-06,
    4.13813679705723846039e-08,
)
_LN2_HIGH: Final = 6.93147180369123816490e-01
_LN2_LOW: Final = 1.90821492927058770002e-10


def _exp(value: float) -> float:
    """StrictMath.exp of a positive number below the overflow threshold."""
    if value < 2.0**-28:
        return 1.0 + value
    k, high, low = 0, value, 0.0
    if _high(value) > 0x3FD62E42:
        k = 1 if _high(value) < 0x3FF0A2B2 else int(1.44269504088896338700e00 * value + 0.5)
        high, low = value - k * _LN2_HIGH, k * _LN2_LOW
    x = high - low
    t = x * x
    c = x - t * _polynomial(t, _EXP)
    if k == 0:
        return 1.0 - (x * c / (c - 2.0) - x)
    return math.ldexp(1.0 - ((low - x * c / (2.0 - c)) - high), k)


def cosh(value: float) -> float:
    """StrictMath.cosh."""
    x = abs(value)
    if not math.isfinite(x):
        return x
    if _high(x) < 0x3FD62E43:
        t = math.expm1(x)
        w = 1.0 + t
        return w if x < 2.0**-55 else 1.0 + t * t / (w + w)
    if x < 22:
        t = _exp(x)
        return 0.5 * t + 0.5 / t
    if x < 709.782712893384:
        return 0.5 * _exp(x)
    if x > 710.4758600739439:
        return math.inf
    w = _exp(0.5 * x)
    return 0.5 * w * w


_SIN: Final = (
    8.33333333332248946124e-03,
    -1.98412698298579493134e-04,
    2.75573137070700676789e-06,
    -2.50507602534068634195e-08,
    1.58969099521155010221e-10,
)
_COS: Final = (
    4.16666666666666019037e-02,
    -1.38888888888741095749e-03,
    2.48015872894767294178e-05,
    -2.75573143513906633035e-07,
    2.08757232129817482790e-09,
    -1.13596475577881948265e-11,
)


def _kernel_sin(x: float, y: float) -> float:
    z = x * x
    v = z * x
    r = _polynomial(z, _SIN)
    return x - ((z * (0.5 * y - v * r) - y) - v * -1.66666666666666324348e-01)


def _kernel_cos(x: float, y: float) -> float:
    z = x * x
    r = z * _polynomial(z, _COS)
    high = _high(abs(x))
    if high < 0x3FD33333:
        return 1.0 - (0.5 * z - (z * r - x * y))
    q = 0.28125 if high > 0x3FE90000 else _from_high(high - 0x00200000)
    return (1.0 - q) - ((0.5 * z - q) - (z * r - x * y))


def _reduced(x: float) -> tuple[int, float, float]:
    """The quarter turn that a medium sized angle is nearest to, and the rest in two parts."""
    t = abs(x)
    n = int(t * 6.36619772367581382433e-01 + 0.5)
    r = t - n * 1.57079632673412561417e00
    w = n * 6.07710050650619224932e-11
    y = r - w
    if (_high(t) >> 20) - (_high(y) >> 20 & 0x7FF) > 16:
        t, w = r, n * 6.07710050630396597660e-11
        r = t - w
        w = n * 2.02226624879595063154e-21 - ((t - r) - w)
        y = r - w
    low = (r - y) - w
    return (n, y, low) if x >= 0 else (-n, -y, -low)


def sin(x: float) -> float:
    """StrictMath.sin; the C library's for huge angles."""
    if abs(x) <= _QUARTER_PI:
        return x if abs(x) < 2.0**-27 else _kernel_sin(x, 0.0)
    if abs(x) > 500_000.0:
        return math.sin(x) if math.isfinite(x) else math.nan
    n, y, low = _reduced(x)
    return (_kernel_sin, _kernel_cos)[n & 1](y, low) * (1 if n & 2 == 0 else -1)


def cos(x: float) -> float:
    """StrictMath.cos; the C library's for huge angles."""
    if abs(x) <= _QUARTER_PI:
        return 1.0 if abs(x) < 2.0**-27 else _kernel_cos(x, 0.0)
    if abs(x) > 500_000.0:
        return math.cos(x) if math.isfinite(x) else math.nan
    n, y, low = _reduced(x)
    return (_kernel_cos, _kernel_sin)[n & 1](y, low) * (1 if (n + 1) & 2 == 0 else -1)
