"""Date and time functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ksqlkit.engine.clock import Clock
from ksqlkit.engine.expressions.times import civil_from_days, days_from_civil
from ksqlkit.engine.functions.date_fields import ROOT_WEEKS, US_WEEKS, Moment
from ksqlkit.engine.functions.date_format import format_moment
from ksqlkit.engine.functions.date_parse import Parsed, month_length, parse_moment
from ksqlkit.engine.functions.define import Family
from ksqlkit.engine.functions.fast_dates import parse_fast_date
from ksqlkit.engine.functions.zones import DAY, zone_of
from ksqlkit.engine.java_numbers import wrap_long
from ksqlkit.errors import DataError

dates = Family("DATE / TIME")

_NANOS: Final = 1_000_000
_LONG: Final = (1 << 63) - 1
_UNITS: Final = {
    "NANOSECONDS": 1,
    "MICROSECONDS": 1_000,
    "MILLISECONDS": _NANOS,
    "SECONDS": 1_000 * _NANOS,
    "MINUTES": 60_000 * _NANOS,
    "HOURS": 3_600_000 * _NANOS,
    "DAYS": DAY * _NANOS,
}


def _saturated(value: int) -> int:
    return max(-_LONG - 1, min(_LONG, value))


def _cut(value: int, by: int) -> int:
    """Division towards zero, as Java divides."""
    return value // by if value >= 0 else -(-value // by)


def _millis(unit: str, interval: int) -> int:
    return _saturated(_cut(_UNITS[unit] * interval, _NANOS))


def _moved_date(sign: int) -> Callable[[str, int, int], int]:
    def move(unit: str, interval: int, days: int) -> int:
        return _cut(wrap_long(days * DAY + sign * _millis(unit, interval)), DAY)

    return move


def _moved_time(sign: int) -> Callable[[str, int, int], int]:
    def move(unit: str, interval: int, millis: int) -> int:
        nanos = _saturated(_UNITS[unit] * interval)
        return (millis * _NANOS + sign * nanos) % (DAY * _NANOS) // _NANOS

    return move


def _moved_timestamp(sign: int) -> Callable[[str, int, int], int]:
    def move(unit: str, interval: int, millis: int) -> int:
        return wrap_long(millis + sign * _millis(unit, interval))

    return move


def _declare() -> None:
    kinds = (
        ("DATE", "date", _moved_date),
        ("TIME", "time", _moved_time),
        ("TIMESTAMP", "timestamp", _moved_timestamp),
    )
    for kind, argument, make in kinds:
        for word, sign, text in (("ADD", 1, "later"), ("SUB", -1, "earlier")):
            move = make(sign)
            move.__doc__ = f"A {kind} that lies a number of time units {text}."
            signature = f"{kind}{word}(INTERVAL UNIT unit, INT interval, {kind} {argument}) -> {kind}"
            dates.scalar(signature)(move)


_declare()


@dates.scalar("FROM_DAYS(INT days) -> DATE")
def from_days(days: int) -> int:
    """The date that lies a number of days after 1970-01-01."""
    return days


@dates.scalar("FROM_UNIXTIME(BIGINT epochMilli) -> TIMESTAMP")
def from_unixtime(millis: int) -> int:
    """The timestamp that lies a number of milliseconds after 1970-01-01T00:00:00 UTC."""
    return millis


@dates.scalar("CONVERT_TZ(TIMESTAMP timestamp, VARCHAR fromTimeZone, VARCHAR toTimeZone) -> TIMESTAMP")
def convert_tz(millis: int, source: str, target: str) -> int:
    """A timestamp taken from one time zone to another."""
    to, by = zone_of(target), zone_of(source)
    return millis + (to.legacy_offset(millis) - by.legacy_offset(millis)) * 1000


def _zoned(millis: int, zone: str) -> Moment:
    where = zone_of(zone)
    days, rest = divmod(millis + where.offset(millis) * 1000, DAY)
    return Moment(days, rest * _NANOS, where, millis)


@dates.scalar("FORMAT_DATE(DATE date, VARCHAR formatPattern) -> VARCHAR")
def format_date(days: int, pattern: str) -> str:
    """A date as text, by a pattern of Java's DateTimeFormatter."""
    return format_moment(pattern, Moment(days))


@dates.scalar("DATETOSTRING(INT epochDays, VARCHAR formatPattern) -> VARCHAR")
def datetostring(days: int, pattern: str) -> str:
    """Days since 1970-01-01 as the text of a date; FORMAT_DATE does it for a DATE."""
    return format_moment(pattern, Moment(days))


@dates.scalar("FORMAT_TIME(TIME time, VARCHAR formatPattern) -> VARCHAR")
def format_time(millis: int, pattern: str) -> str:
    """A time as text, by a pattern of Java's DateTimeFormatter."""
    return format_moment(pattern, Moment(nanos=millis * _NANOS))


@dates.scalar(
    "FORMAT_TIMESTAMP(TIMESTAMP timestamp, VARCHAR formatPattern) -> VARCHAR",
    "FORMAT_TIMESTAMP(TIMESTAMP timestamp, VARCHAR formatPattern, VARCHAR timeZone) -> VARCHAR",
)
def format_timestamp(millis: int, pattern: str, zone: str = "GMT") -> str:
    """A timestamp as text in a time zone, by a pattern of Java's DateTimeFormatter."""
    return format_moment(pattern, _zoned(millis, zone))


@dates.scalar(
    "TIMESTAMPTOSTRING(BIGINT epochMilli, VARCHAR formatPattern) -> VARCHAR",
    "TIMESTAMPTOSTRING(BIGINT epochMilli, VARCHAR formatPattern, VARCHAR timeZone) -> VARCHAR",
)
def timestamptostring(millis: int, pattern: str, zone: str = "UTC") -> str:
    """Milliseconds since 1970-01-01 UTC as the text of a timestamp; FORMAT_TIMESTAMP does it for a TIMESTAMP."""
    millis = (
        wrap_long(millis // 1000 * 1000) + millis % 1000
    )  # java.sql.Timestamp keeps whole seconds and a rest
    return format_moment(pattern, _zoned(millis, zone))


@dates.scalar("PARSE_DATE(VARCHAR formattedDate, VARCHAR formatPattern) -> DATE")
def parse_date(text: str, pattern: str) -> int:
    """The date in a text, by a pattern of Java's SimpleDateFormat."""
    return parse_fast_date(pattern, text)


@dates.scalar("STRINGTODATE(VARCHAR formattedDate, VARCHAR formatPattern) -> INT")
def stringtodate(text: str, pattern: str) -> int:
    """The days since 1970-01-01 of the date in a text; PARSE_DATE gives a DATE."""
    days = parse_moment(pattern, text, US_WEEKS).days
    if days is None:
        raise DataError(f"Failed to parse date '{text}' with formatter '{pattern}': no whole date")
    return days


@dates.scalar("PARSE_TIME(VARCHAR formattedTime, VARCHAR formatPattern) -> TIME")
def parse_time(text: str, pattern: str) -> int:
    """The time in a text, by a pattern of Java's DateTimeFormatter."""
    parsed = parse_moment(pattern, text, US_WEEKS)
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
    year = fields.get("year", 1970)
    month = fields.get("month", 1)
    day = fields.get("day", 1)
    if "day_of_year" in fields:
        if fields["day_of_year"] == 366:
            raise DataError("Leap day cannot be parsed without supplying the year field")
        return days_from_civil(year, 1, 1) + fields["day_of_year"] - 1
    if day > month_length(year, month):
        raise DataError(f"Invalid date: {year}-{month}-{day}")
    days = days_from_civil(year, month, day)
    if "weekday" in fields:
        days += fields["weekday"] - ((days + 3) % 7 + 1)
    if "era" in fields and not fields["era"]:
        year, month, day = civil_from_days(days)
        days = days_from_civil(1 - year, month, day)
    return days


def _partial_nanos(fields: dict[str, int]) -> int:
    hour = fields.get("hour", fields.get("hour_ampm", 0) + 12 * fields.get("ampm", 0))
    seconds = (hour * 60 + fields.get("minute", 0)) * 60 + fields.get("second", 0)
    return seconds * 1_000 * _NANOS + fields.get("nano", 0)


@dates.scalar(
    "PARSE_TIMESTAMP(VARCHAR formattedTimestamp, VARCHAR formatPattern) -> TIMESTAMP",
    "PARSE_TIMESTAMP(VARCHAR formattedTimestamp, VARCHAR formatPattern, VARCHAR timeZone) -> TIMESTAMP",
)
def parse_timestamp(text: str, pattern: str, zone: str = "GMT") -> int:
    """The timestamp in a text, by a pattern of Java's DateTimeFormatter; the zone counts where the text names none."""
    zone_of(zone)
    return timestamp_of(parse_moment(pattern, text, ROOT_WEEKS), zone)


@dates.scalar(
    "STRINGTOTIMESTAMP(VARCHAR formattedTimestamp, VARCHAR formatPattern) -> BIGINT",
    "STRINGTOTIMESTAMP(VARCHAR formattedTimestamp, VARCHAR formatPattern, VARCHAR timeZone) -> BIGINT",
)
def stringtotimestamp(text: str, pattern: str, zone: str = "UTC") -> int:
    """The milliseconds since 1970-01-01 UTC of the timestamp in a text; PARSE_TIMESTAMP gives a TIMESTAMP."""
    zone_of(zone)
    return timestamp_of(parse_moment(pattern, text, ROOT_WEEKS), zone)


def clock_functions(clock: Clock) -> Family:
    """UNIX_TIMESTAMP and UNIX_DATE, which ask a clock."""
    family = Family("DATE / TIME")

    @family.scalar("UNIX_TIMESTAMP() -> BIGINT", deterministic=False)
    def unix_timestamp() -> int:
        """Milliseconds since 1970-01-01 UTC, of now or of a timestamp."""
        return clock.now()

    @family.scalar("UNIX_DATE() -> INT", deterministic=False)
    def unix_date() -> int:
        """Days since 1970-01-01, of today or of a date."""
        return clock.now() // DAY

    family.scalar("UNIX_TIMESTAMP(TIMESTAMP timestamp) -> BIGINT")(from_unixtime)
    family.scalar("UNIX_DATE(DATE date) -> INT")(from_days)
    return family
