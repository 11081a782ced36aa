"""Date and time functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final

from ksqlkit.engine.clock import Clock
from ksqlkit.engine.functions.contract import ArgType
from ksqlkit.engine.functions.define import Family
from ksqlkit.engine.java_numbers import wrap_long

dates = Family("DATE / TIME")

DAY: Final = 86_400_000
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


@dates.scalar("FROM_DAYS(INT days) -> DATE", primitive=("days",))
def from_days(days: int) -> int:
    """The date that lies a number of days after 1970-01-01."""
    return days


@dates.scalar("FROM_UNIXTIME(BIGINT epochMilli) -> TIMESTAMP")
def from_unixtime(millis: int) -> int:
    """The timestamp that lies a number of milliseconds after 1970-01-01T00:00:00 UTC."""
    return millis


# Python function, signatures, description. The pattern engine is loaded when the first of them is used.
_TEXT: Final[tuple[tuple[str, tuple[str, ...], str], ...]] = (
    (
        "convert_tz",
        ("CONVERT_TZ(TIMESTAMP timestamp, VARCHAR fromTimeZone, VARCHAR toTimeZone) -> TIMESTAMP",),
        "A timestamp taken from one time zone to another.",
    ),
    (
        "format_date",
        ("FORMAT_DATE(DATE date, VARCHAR formatPattern) -> VARCHAR",),
        "A date as text, by a pattern of Java's DateTimeFormatter.",
    ),
    (
        "datetostring",
        ("DATETOSTRING(INT epochDays, VARCHAR formatPattern) -> VARCHAR",),
        "Days since 1970-01-01 as the text of a date; FORMAT_DATE does it for a DATE.",
    ),
    (
        "format_time",
        ("FORMAT_TIME(TIME time, VARCHAR formatPattern) -> VARCHAR",),
        "A time as text, by a pattern of Java's DateTimeFormatter.",
    ),
    (
        "format_timestamp",
        (
            "FORMAT_TIMESTAMP(TIMESTAMP timestamp, VARCHAR formatPattern) -> VARCHAR",
            "FORMAT_TIMESTAMP(TIMESTAMP timestamp, VARCHAR formatPattern, VARCHAR timeZone) -> VARCHAR",
        ),
        "A timestamp as text in a time zone, by a pattern of Java's DateTimeFormatter.",
    ),
    (
        "timestamptostring",
        (
            "TIMESTAMPTOSTRING(BIGINT epochMilli, VARCHAR formatPattern) -> VARCHAR",
            "TIMESTAMPTOSTRING(BIGINT epochMilli, VARCHAR formatPattern, VARCHAR timeZone) -> VARCHAR",
        ),
        "Milliseconds since 1970-01-01 UTC as the text of a timestamp; FORMAT_TIMESTAMP does it for a TIMESTAMP.",
    ),
    (
        "parse_date",
        ("PARSE_DATE(VARCHAR formattedDate, VARCHAR formatPattern) -> DATE",),
        "The date in a text, by a pattern of Java's SimpleDateFormat.",
    ),
    (
        "stringtodate",
        ("STRINGTODATE(VARCHAR formattedDate, VARCHAR formatPattern) -> INT",),
        "The days since 1970-01-01 of the date in a text; PARSE_DATE gives a DATE.",
    ),
    (
        "parse_time",
        ("PARSE_TIME(VARCHAR formattedTime, VARCHAR formatPattern) -> TIME",),
        "The time in a text, by a pattern of Java's DateTimeFormatter.",
    ),
    (
        "parse_timestamp",
        (
            "PARSE_TIMESTAMP(VARCHAR formattedTimestamp, VARCHAR formatPattern) -> TIMESTAMP",
            "PARSE_TIMESTAMP(VARCHAR formattedTimestamp, VARCHAR formatPattern, VARCHAR timeZone) -> TIMESTAMP",
        ),
        "The timestamp in a text, by a pattern of Java's DateTimeFormatter; the zone counts where the text names none.",
    ),
    (
        "stringtotimestamp",
        (
            "STRINGTOTIMESTAMP(VARCHAR formattedTimestamp, VARCHAR formatPattern) -> BIGINT",
            "STRINGTOTIMESTAMP(VARCHAR formattedTimestamp, VARCHAR formatPattern, VARCHAR timeZone) -> BIGINT",
        ),
        "The milliseconds since 1970-01-01 UTC of the timestamp in a text; PARSE_TIMESTAMP gives a TIMESTAMP.",
    ),
)

# NULL for these is an error of the row, not just a NULL.
_PRIMITIVE: Final = {
    "datetostring": ("epochDays",),
    "timestamptostring": ("epochMilli",),
    "stringtodate": ("formattedDate", "formatPattern"),
    "stringtotimestamp": ("formattedTimestamp", "formatPattern", "timeZone"),
}


def _later(name: str) -> Callable[[Sequence[ArgType]], Callable[..., Any]]:
    def make(_: Sequence[ArgType]) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(import_module("ksqlkit.engine.functions.date_functions"), name)
        return function

    return make


def _declare_text() -> None:
    for name, signatures, text in _TEXT:
        make = _later(name)
        make.__doc__ = text
        dates.scalar(*signatures, typed=True, primitive=_PRIMITIVE.get(name, ()))(make)


_declare_text()


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
