"""Dates and times as text."""

from __future__ import annotations

import datetime

import pytest

from ksqlkit.engine.expressions import times

DAY = 86_400_000


@pytest.mark.parametrize(
    ("millis", "sql", "wire"),
    [
        (0, "1970-01-01T00:00:00.000", "1970-01-01T00:00:00.000"),
        (-1, "1969-12-31T23:59:59.999", "1969-12-31T23:59:59.999"),
        (-62135596800000, "0001-01-01T00:00:00.000", "0001-01-03T00:00:00.000"),
        (-141427 * DAY, "1582-10-15T00:00:00.000", "1582-10-15T00:00:00.000"),
        (-141428 * DAY, "1582-10-14T00:00:00.000", "1582-10-04T00:00:00.000"),
        (253402300800000, "+10000-01-01T00:00:00.000", "10000-01-01T00:00:00.000"),
    ],
)
def test_timestamps(millis: int, sql: str, wire: str) -> None:
    assert times.format_timestamp(millis) == sql
    assert times.wire_timestamp(millis) == wire


@pytest.mark.parametrize("days", [-719162, -1, 0, 59, 19782, 2932896])
def test_dates_are_those_of_the_calendar(days: int) -> None:
    expected = datetime.date(1970, 1, 1) + datetime.timedelta(days=days)
    assert times.format_date(days) == expected.isoformat()
    assert times.parse_date(expected.isoformat()) == days


@pytest.mark.parametrize(
    ("text", "millis"), [("00:00", 0), ("12:34:56", 45296000), ("23:59:59.9999", 86399999)]
)
def test_times(text: str, millis: int) -> None:
    assert times.parse_time(text) == millis


@pytest.mark.parametrize("text", ["", "24:00", "7:00", "12", "12:60", "12:00:61", "12:00:00,5", "noon"])
def test_no_times(text: str) -> None:
    with pytest.raises(ValueError, match="Failed to parse time"):
        times.parse_time(text)


@pytest.mark.parametrize(
    "text", ["", "2021-02-29", "2021-13", "20210101", "2021-1-1", "12345-01-01", "2021-03-28T"]
)
def test_no_dates(text: str) -> None:
    with pytest.raises(ValueError, match="Failed to parse date"):
        times.parse_date(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2024", "2024-01-01T00:00:00.000"),
        ("2024-02", "2024-02-01T00:00:00.000"),
        ("2024-02-29T12", "2024-02-29T12:00:00.000"),
        ("2024-02-29T12:34:56.7", "2024-02-29T12:34:56.700"),
        ("2024-02-29T12:34:56Z", "2024-02-29T12:34:56.000"),
        ("2024-02-29T12:34:56.789+0130", "2024-02-29T11:04:56.789"),
        ("2024-02-29T12:00-05:00", "2024-02-29T17:00:00.000"),
        ("2021-02-31T00:00", "2021-02-28T00:00:00.000"),
    ],
)
def test_parse_timestamps(text: str, shown: str) -> None:
    assert times.format_timestamp(times.parse_timestamp(text)) == shown


@pytest.mark.parametrize(
    "text",
    ["", "2024-02-29 12:00", "2024-02-32T00:00", "2024-02-29T12:34:56.1234", "2024-02-29T12:00+x", "soon"],
)
def test_no_timestamps(text: str) -> None:
    with pytest.raises(ValueError, match="Failed to parse timestamp"):
        times.parse_timestamp(text)
