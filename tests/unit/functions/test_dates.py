"""Java's date patterns and zones: cases are data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ksqlkit.engine.expressions.times import civil_from_days
from ksqlkit.engine.functions import date_functions as dates
from ksqlkit.engine.functions.fast_dates import parse_fast_date
from ksqlkit.engine.functions.zones import zone_of
from ksqlkit.errors import DataError

CASES: dict[str, list[Any]] = json.loads(Path(__file__).with_name("dates.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("pattern", "millis", "zone", "text"), CASES["format"])
def test_format(pattern: str, millis: int, zone: str, text: str) -> None:
    assert dates.format_timestamp(millis, pattern, zone) == text


@pytest.mark.parametrize("pattern", CASES["format_errors"])
def test_wrong_patterns(pattern: str) -> None:
    with pytest.raises(DataError):
        dates.format_timestamp(0, pattern)


@pytest.mark.parametrize(("pattern", "text", "zone", "millis"), CASES["parse"])
def test_parse(pattern: str, text: str, zone: str, millis: int) -> None:
    assert dates.parse_timestamp(text, pattern, zone) == millis


@pytest.mark.parametrize(("pattern", "text"), CASES["parse_errors"])
def test_text_that_does_not_fit(pattern: str, text: str) -> None:
    with pytest.raises(DataError):
        dates.parse_timestamp(text, pattern)


@pytest.mark.parametrize(("pattern", "text", "days"), CASES["fast"])
def test_parse_date(pattern: str, text: str, days: int) -> None:
    assert civil_from_days(parse_fast_date(pattern, text)) == civil_from_days(days)


@pytest.mark.parametrize(("pattern", "text"), CASES["fast_errors"])
def test_parse_date_refuses(pattern: str, text: str) -> None:
    with pytest.raises(DataError):
        parse_fast_date(pattern, text)


@pytest.mark.parametrize(("name", "seconds"), CASES["zones"])
def test_zone(name: str, seconds: int) -> None:
    assert zone_of(name).offset(0) == seconds


@pytest.mark.parametrize("name", CASES["zone_errors"])
def test_unknown_zone(name: str) -> None:
    with pytest.raises(DataError):
        zone_of(name)


def test_zones_reach_beyond_the_years_of_python() -> None:
    paris = zone_of("Europe/Paris")
    assert paris.offset(400_000_000_000_000) in (3600, 7200)
    assert paris.offset(-90_000_000_000_000) == 561  # local mean time
    assert paris.legacy_offset(-90_000_000_000_000) == 3600


def test_format_and_parse_are_inverse() -> None:
    pattern = "uuuu-MM-dd HH:mm:ss.SSS"
    for millis in range(-62_135_596_800_000, 253_402_300_799_999, 7_919_999_999_999):
        assert dates.parse_timestamp(dates.format_timestamp(millis, pattern), pattern) == millis
