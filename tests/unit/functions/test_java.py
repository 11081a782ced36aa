"""Java's numbers, strings and regular expressions in Python."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ksqlkit.engine import java_math
from ksqlkit.engine.functions.java_regex import java_pattern, replacement
from ksqlkit.engine.functions.json_text import MISSING, dump, parse
from ksqlkit.engine.functions.urls import parse_uri
from ksqlkit.engine.functions.utf16 import joined, units
from ksqlkit.engine.java_numbers import double_to_string, single_to_string, string_to_double
from ksqlkit.errors import DataError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1 / 3, "0.33333334"),
        (3.14159265, "3.1415927"),
        (16777216.0, "1.6777216E7"),
        (9999999.0, "9999999.0"),
        (-1e-5, "-1.0E-5"),
        (3.4028234663852886e38, "3.4028235E38"),
        (1e-45, "1.4E-45"),
        (-0.0, "-0.0"),
        (float("inf"), "Infinity"),
    ],
)
def test_single_to_string(value: float, text: str) -> None:
    (single,) = struct.unpack(">f", struct.pack(">f", value))
    assert single_to_string(single) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (1e7, "1.0E7"),
        (1234567.0, "1234567.0"),
        (0.001, "0.001"),
        (0.0001, "1.0E-4"),
        (-0.0, "-0.0"),
        (5e-324, "4.9E-324"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (2.82879384806159e17, "2.82879384806159008E17"),
        (1.387364135037754e18, "1.38736413503775411E18"),
        (2e23, "1.9999999999999998E23"),
        (9.223372036854775807e18, "9.223372036854776E18"),
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
    ],
)
def test_double_to_string(value: float, text: str) -> None:
    assert double_to_string(value) == text


@given(st.binary(min_size=8, max_size=8).map(lambda b: struct.unpack(">d", b)[0]))
def test_text_of_a_double_reads_back(value: float) -> None:
    back = string_to_double(double_to_string(value))
    assert back == value or (math.isnan(back) and math.isnan(value))


@pytest.mark.parametrize(
    ("text", "value"), [(" 1e5d ", 1e5), ("0x1p3", 8.0), ("-Infinity", -math.inf), (".5f", 0.5)]
)
def test_string_to_double(text: str, value: float) -> None:
    assert string_to_double(text) == value


@pytest.mark.parametrize("text", ["", "1_0", "inf", "nan", "1e", "٣"])
def test_no_double(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (the type is the contract)
        string_to_double(text)


@given(st.text())
def test_units_and_back(text: str) -> None:
    assert joined(units(text)) == text
    assert len(units(text)) == len(text.encode("utf-16-le", "surrogatepass")) // 2


@given(st.floats(-1e5, 1e5))
def test_strict_math_is_near_the_c_library(x: float) -> None:
    for name in ("sin", "cos", "atan", "cbrt"):
        assert getattr(java_math, name)(x) == pytest.approx(getattr(math, name)(x), rel=1e-15, abs=1e-300)
    assert java_math.atan2(x, 3.0) == pytest.approx(math.atan2(x, 3.0), rel=1e-15)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"\p{Lu}+", "abÀÉc", "ÀÉ"),
        (r"[a-z&&[^b-d]]+", "bcdexyb", "exy"),
        (r"[a-c[x-z]]+", "mzaxm", "zax"),
        (r"(?<w>\w)\k<w>", "abccd", "cc"),
        (r"\Qa.b\E+", "a.bb", "a.bb"),
        (r"a(?i)B", "ab", "ab"),
        (r"a.c", "a\rc", None),
        (r"(?s)a.c", "a\rc", "a\rc"),
        (r"\h+x", "\u00a0 x", "\u00a0 x"),
        (r"\d+", "٣4", "4"),
        (r"[^[ab]]", "abc", "c"),
        (r"x++y", "xxy", "xxy"),
    ],
)
def test_regex(pattern: str, text: str, found: str | None) -> None:
    match = java_pattern(pattern).search(text)
    assert (match[0] if match else None) == found


@pytest.mark.parametrize("pattern", ["(", "[a", "*a", "a{", r"\y", r"\p{Nope}", "a)"])
def test_wrong_regex(pattern: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (the type is the contract)
        java_pattern(pattern)


def test_replacement() -> None:
    match = java_pattern(r"(?<first>a)(b)?").search("a")
    assert match
    assert replacement(r"${first}$1$2\$$10", match) == "aa$a0"
    for wrong in ("$3", "$", "\\", "${no}"):
        with pytest.raises(ValueError):  # noqa: PT011  (the type is the contract)
            replacement(wrong, match)


def test_json_keeps_numbers_and_stops_after_the_first_value() -> None:
    assert dump(parse('{"a": 1.50, "b": [1E3, -0.0], "a": 2} tail')) == '{"a":2,"b":[1000,0.0]}'
    assert parse(" \t") is MISSING
    assert dump('\x01"é/', plain=False) == '"\\u0001\\"é/"'
    for wrong in ("{bad", "1x", "NaN", "[1,]", "'a'"):
        with pytest.raises(DataError):
            parse(wrong)


def test_uri_parts() -> None:
    found = parse_uri("https://user:pw@www.example.com:8443/a/b%20c.html?x=1&y=two%20words#frag")
    assert (found.scheme, found.host, found.port) == ("https", "www.example.com", 8443)
    assert (found.path, found.query, found.fragment) == ("/a/b c.html", "x=1&y=two words", "frag")
    assert parse_uri("mailto:a@b").path is None
    assert parse_uri("http://under_score/").host is None
    for wrong in ("http://", "a b", "1http://x", "http://x/%2"):
        with pytest.raises(DataError):
            parse_uri(wrong)
