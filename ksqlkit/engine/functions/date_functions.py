"""The work of the functions that print and parse dates and times."""

from __future__ import annotations

from typing import Final

from ksqlkit.engine.expressions.times import civil_from_days, days_from_civil
from ksqlkit.engine.functions.date_fields import ROOT_TEXTS, Moment, weekday
from ksqlkit.engine.functions.date_format import format_moment
from ksqlkit.engine.functions.date_parse import Parsed, month_length, parse_moment
from ksqlkit.engine.functions.fast_dates import parse_fast_date
from ksqlkit.engine.functions.zones import DAY, zone_of
from ksqlkit.engine.java_numbers import wrap_long
from ksqlkit.errors import DataError

_NANOS: Final = 1_000_000


def convert_tz(millis: int, source: str, target: str) -> int:
    """A timestamp taken from one time zone to another."""
    to, by = zone_of(target), zone_of(source)
    return millis + (to.legacy_offset(millis) - by.legacy_offset(millis)) * 1000


def _zoned(millis: int, zone: str) -> Moment:
    where = zone_of(zone)
    days, rest = divmod(millis + where.offset(millis) * 1000, DAY)
    return Moment(days, rest * _NANOS, where, millis)


def format_date(days: int, pattern: str) -> str:
    """A date as text, by a pattern of Java's DateTimeFormatter."""
    return format_moment(pattern, Moment(days))


def datetostring(days: int, pattern: str) -> str:
    """Days since 1970-01-01 as the text of a date; FORMAT_DATE does it for a DATE."""
    return format_moment(pattern, Moment(days))


def format_time(millis: int, pattern: str) -> str:
    """A time as text, by a pattern of Java's DateTimeFormatter."""
    return format_moment(pattern, Moment(nanos=millis * _NANOS))


def format_timestamp(millis: int, pattern: str, zone: str = "GMT") -> str:
    """A timestamp as text in a time zone, by a pattern of Java's DateTimeFormatter."""
    return format_moment(pattern, _zoned(millis, zone))


def timestamptostring(millis: int, pattern: str, zone: str = "UTC") -> str:
    """Milliseconds since 1970-01-01 UTC as the text of a timestamp; FORMAT_TIMESTAMP does it for a TIMESTAMP."""
    millis = (
        wrap_long(millis // 1000 * 1000) + millis % 1000
    )  # java.sql.Timestamp keeps whole seconds and a rest
    return format_moment(pattern, _zoned(millis, zone))


def parse_date(text: str, pattern: str) -> int:
    """The date in a text, by a pattern of Java's SimpleDateFormat."""
    return parse_fast_date(pattern, text)


def stringtodate(text: str, pattern: str) -> int:
    """The days since 1970-01-01 of the date in a text; PARSE_DATE gives a DATE."""
    days = parse_moment(pattern, text).days
    if days is None:
        raise DataError(f"Failed to parse date '{text}' with formatter '{pattern}': no whole date")
    return days


def parse_time(text: str, pattern: str) -> int:
    """The time in a text, by a pattern of Java's DateTimeFormatter."""
    parsed = parse_moment(pattern, text)
    if parsed.days is not None or not parsed.fields.keys().isdisjoint(_DATE_KEYS):
        raise DataError("Time format contains date field.")
    if parsed.nanos is None:
        raise DataError(f"Failed to parse time '{text}' with formatter '{pattern}': no whole time")
    return parsed.nanos // _NANOS


_DATE_KEYS: Final = frozenset(
    ("year", "era", "month", "day", "day_of_year", "weekday", "quarter", "week_year", "week")
)


def timestamp_of(parsed: Parsed, zone: str) -> int:
    """The instant of parsed text; what it does not say is that of 1970-01-01T00:00. Raises DataError."""
    where = parsed.zone or zone_of(zone)
    days = parsed.days
    if days is None:
        days = _partial_days(parsed.fields)
    nanos = parsed.nanos if parsed.nanos is not None else _partial_nanos(parsed.fields)
    return where.to_instant(days * DAY + nanos // _NANOS)


def _partial_days(fields: dict[str, int]) -> int:
    """1970-01-01 with one field after the other set as Java's dates are: wide ones first, days in a fixed order."""
    year = fields.get("year", -1969 if fields.get("era") == 0 else 1970)
    days = days_from_civil(year, fields.get("month", 1), 1)
    if "weekday" in fields:
        days += fields["weekday"] - weekday(days)
    if "aligned_weekday" in fields:
        days += fields["aligned_weekday"] - (civil_from_days(days)[2] - 1) % 7 - 1
    if "day" in fields:
        year, month, _ = civil_from_days(days)
        if fields["day"] > month_length(year, month):
            raise DataError(f"Invalid date: {year}-{month}-{fields['day']}")
        days = days_from_civil(year, month, fields["day"])
    if "day_of_year" in fields:
        if fields["day_of_year"] == 366:
            raise DataError("Leap day cannot be parsed without supplying the year field")
        days = days_from_civil(civil_from_days(days)[0], 1, 1) + fields["day_of_year"] - 1
    return days


def _partial_nanos(fields: dict[str, int]) -> int:
    hour = fields.get("hour", fields.get("hour_ampm", 0) + 12 * fields.get("ampm", 0))
    seconds = (hour * 60 + fields.get("minute", 0)) * 60 + fields.get("second", 0)
    return seconds * 1_000 * _NANOS + fields.get("nano", 0)


def parse_timestamp(text: str, pattern: str, zone: str = "GMT") -> int:
    """The timestamp in a text, by a pattern of Java's DateTimeFormatter; the zone counts where the text names none."""
    zone_of(zone)
    return timestamp_of(parse_moment(pattern, text, ROOT_TEXTS), zone)


def stringtotimestamp(text: str, pattern: str, zone: str = "UTC") -> int:
    """The milliseconds since 1970-01-01 UTC of the timestamp in a text; PARSE_TIMESTAMP gives a TIMESTAMP."""
    zone_of(zone)
    return timestamp_of(parse_moment(pattern, text, ROOT_TEXTS), zone)
