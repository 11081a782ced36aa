"""The fields of a date, a time and a zone that a pattern can print, and the English texts of some."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ksqlkit.engine.expressions.times import civil_from_days, days_from_civil
from ksqlkit.engine.functions.zones import Zone
from ksqlkit.errors import DataError

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

# field -> style -> texts, the first for `base`
TEXTS: Final[dict[str, tuple[int, dict[str, tuple[str, ...]]]]] = {
    "month": (
        1,
        {"full": MONTHS, "short": tuple(m[:3] for m in MONTHS), "narrow": tuple(m[0] for m in MONTHS)},
    ),
    "weekday": (
        1,
        {"full": WEEKDAYS, "short": tuple(d[:3] for d in WEEKDAYS), "narrow": tuple(d[0] for d in WEEKDAYS)},
    ),
    "era": (0, {"full": ("Before Christ", "Anno Domini"), "short": ("BC", "AD"), "narrow": ("B", "A")}),
    "ampm": (0, {"short": ("AM", "PM")}),
    "quarter": (
        1,
        {
            "full": ("1st quarter", "2nd quarter", "3rd quarter", "4th quarter"),
            "short": ("Q1", "Q2", "Q3", "Q4"),
            "narrow": ("1", "2", "3", "4"),
        },
    ),
}
# In Java's locale without a language, in which ksqlDB parses timestamps.
ROOT_TEXTS: Final[dict[str, tuple[int, dict[str, tuple[str, ...]]]]] = {
    "month": (1, {"short": TEXTS["month"][1]["short"], "narrow": tuple(map(str, range(1, 13)))}),
    "weekday": (1, {"short": TEXTS["weekday"][1]["short"], "narrow": TEXTS["weekday"][1]["narrow"]}),
    "era": (0, {"full": ("BCE", "CE"), "short": ("BC", "AD"), "narrow": ("BCE", "CE")}),
    "ampm": TEXTS["ampm"],
    "quarter": (1, {"short": TEXTS["quarter"][1]["short"], "narrow": TEXTS["quarter"][1]["narrow"]}),
}


@dataclass(frozen=True, slots=True)
class Weeks:
    """How weeks are counted: their first day (Monday is 1) and the days the first week of a year must have."""

    first: int
    minimal: int


US_WEEKS: Final = Weeks(7, 1)


def weekday(days: int) -> int:
    """Monday is 1."""
    return (days + 3) % 7 + 1


def local_weekday(days: int, weeks: Weeks) -> int:
    """The day of the week, its first day is 1."""
    return (weekday(days) - weeks.first) % 7 + 1


def _start_of_week_year(year: int, weeks: Weeks) -> int:
    first = days_from_civil(year, 1, 1)
    into = local_weekday(first, weeks) - 1
    return first - into if 7 - into >= weeks.minimal else first - into + 7


def week_year(days: int, weeks: Weeks) -> int:
    """The year whose weeks a day belongs to."""
    year = civil_from_days(days)[0]
    if days < _start_of_week_year(year, weeks):
        return year - 1
    return year + 1 if days >= _start_of_week_year(year + 1, weeks) else year


def week_of_year(days: int, weeks: Weeks) -> int:
    """The week of `week_year`, from 1."""
    return (days - _start_of_week_year(week_year(days, weeks), weeks)) // 7 + 1


def week_of_month(days: int, weeks: Weeks) -> int:
    """The week of the month, 0 for days before the first whole enough one."""
    year, month, day = civil_from_days(days)
    into = local_weekday(days_from_civil(year, month, 1), weeks) - 1
    return (day - 1 + into) // 7 + (1 if 7 - into >= weeks.minimal else 0)


def from_week(year: int, week: int, day: int, weeks: Weeks) -> int:
    """Days of a week-based date; `day` counts from the first day of the week, 1."""
    return _start_of_week_year(year, weeks) + (week - 1) * 7 + day - 1


@dataclass(frozen=True, slots=True)
class Moment:
    """What is printed: a day since 1970-01-01, nanoseconds of the day, a zone and the instant; each may be missing."""

    days: int | None = None
    nanos: int | None = None
    zone: Zone | None = None
    instant: int = 0
    weeks: Weeks = US_WEEKS

    @property
    def offset(self) -> int:
        """Offset from UTC in seconds. Raises DataError without a zone."""
        if self.zone is None:
            raise DataError("Unsupported field: OffsetSeconds")
        return self.zone.offset(self.instant)

    def value(self, field: str) -> int:
        """A field's value. Raises DataError for one that this moment does not have."""
        if field in _DATE_FIELDS:
            if self.days is None:
                raise DataError(f"Unsupported field: {field}")
            return _DATE_FIELDS[field](self.days, self.weeks)
        if self.nanos is None:
            raise DataError(f"Unsupported field: {field}")
        return _TIME_FIELDS[field](self.nanos)


def _year_of_era(days: int, _: Weeks) -> int:
    year = civil_from_days(days)[0]
    return year if year > 0 else 1 - year


_DATE_FIELDS: Final[dict[str, Callable[[int, Weeks], int]]] = {
    "era": lambda d, _: int(civil_from_days(d)[0] > 0),
    "year": lambda d, _: civil_from_days(d)[0],
    "year_of_era": _year_of_era,
    "month": lambda d, _: civil_from_days(d)[1],
    "day": lambda d, _: civil_from_days(d)[2],
    "day_of_year": lambda d, _: d - days_from_civil(civil_from_days(d)[0], 1, 1) + 1,
    "quarter": lambda d, _: (civil_from_days(d)[1] + 2) // 3,
    "weekday": lambda d, _: weekday(d),
    "local_weekday": local_weekday,
    "week_year": week_year,
    "week": week_of_year,
    "week_of_month": week_of_month,
    "aligned_weekday": lambda d, _: (civil_from_days(d)[2] - 1) % 7 + 1,
    "modified_julian": lambda d, _: d + 40587,
}

_HOUR: Final = 3_600_000_000_000
_TIME_FIELDS: Final[dict[str, Callable[[int], int]]] = {
    "ampm": lambda n: n // (12 * _HOUR),
    "hour": lambda n: n // _HOUR,
    "clock_hour": lambda n: n // _HOUR or 24,
    "hour_ampm": lambda n: n // _HOUR % 12,
    "clock_hour_ampm": lambda n: n // _HOUR % 12 or 12,
    "minute": lambda n: n // 60_000_000_000 % 60,
    "second": lambda n: n // 1_000_000_000 % 60,
    "nano": lambda n: n % 1_000_000_000,
    "milli_of_day": lambda n: n // 1_000_000,
    "nano_of_day": lambda n: n,
}
DATE_FIELDS: Final = frozenset(_DATE_FIELDS)


def day_period(nanos: int) -> str:
    """English words for the part of the day."""
    hour, rest = divmod(nanos, _HOUR)
    if rest < 60_000_000_000 and hour in (0, 12):
        return "noon" if hour else "midnight"
    if hour < 6 or hour >= 21:
        return "at night"
    return "in the morning" if hour < 12 else "in the afternoon" if hour < 18 else "in the evening"
