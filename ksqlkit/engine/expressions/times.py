"""TIME, DATE and TIMESTAMP as text, as ksqlDB reads and writes them. All zones are UTC."""

from __future__ import annotations

import re
from functools import lru_cache

DAY = 86_400_000
_DATE = re.compile(r"([+-]?)(\d{4,9})-(\d\d)-(\d\d)")
_TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{0,9}))?)?")
_CLOCK = re.compile(r"(\d\d):(\d\d):(\d\d)\.(\d\d\d)")
_OFFSET = re.compile(r"[+-](\d\d?)(?::?(\d\d)(?::?(\d\d))?)?")
_PATTERN = "HH:mm:ss.SSS"
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# Days before this one are shown in the Julian calendar by java.text formats: 1582-10-15.
_CUTOVER = -141427


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 of a date of the proleptic Gregorian calendar."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def civil_from_days(days: int) -> tuple[int, int, int]:
    """Year, month and day of the proleptic Gregorian calendar."""
    days += 719468
    era = days // 146097
    of_era = days - era * 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + (3 if shifted < 10 else -9)
    return year + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


def _julian_from_days(days: int) -> tuple[int, int, int]:
    days += 719470  # 0000-03-01 of the Julian calendar is two days earlier
    cycle, rest = divmod(days, 1461)
    year = min(rest // 365, 3)
    of_year = rest - 365 * year
    shifted = (5 * of_year + 2) // 153
    month = shifted + (3 if shifted < 10 else -9)
    return cycle * 4 + year + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


def _month_length(year: int, month: int) -> int:
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return _MONTH_DAYS[month - 1] + leap


def _year_text(year: int) -> str:
    if year > 9999:
        return f"+{year}"
    return f"{year:04d}" if year >= 0 else f"-{-year:04d}"


def format_date(days: int) -> str:
    """2024-02-29; years beyond 9999 carry a plus sign."""
    year, month, day = civil_from_days(days)
    return f"{_year_text(year)}-{month:02d}-{day:02d}"


def format_time(millis: int) -> str:
    """12:34:56, or 12:34 on the full minute; milliseconds are dropped."""
    minutes, seconds = divmod(millis // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}" if seconds else f"{hours:02d}:{minutes:02d}"


MINUTE = 60_000


@lru_cache(maxsize=8192)
def _iso_minute(minutes: int) -> str:
    days, rest = divmod(minutes, 1440)
    year, month, day = civil_from_days(days)
    shown = f"{1 - year:04d}" if year < 1 else _year_text(year)  # the pattern's year is that of the era
    return f"{shown}-{month:02d}-{day:02d}T{rest // 60:02d}:{rest % 60:02d}:"


@lru_cache(maxsize=8192)
def _wire_minute(minutes: int) -> str:
    days, rest = divmod(minutes, 1440)
    year, month, day = civil_from_days(days) if days >= _CUTOVER else _julian_from_days(days)
    return f"{year if year > 0 else 1 - year:04d}-{month:02d}-{day:02d}T{rest // 60:02d}:{rest % 60:02d}:"


def format_timestamp(millis: int) -> str:
    """2024-02-29T12:34:56.789 in the proleptic Gregorian calendar: CAST to STRING."""
    rest = millis % MINUTE
    return f"{_iso_minute(millis // MINUTE)}{rest // 1000:02d}.{rest % 1000:03d}"


def wire_timestamp(millis: int) -> str:
    """2024-02-29T12:34:56.789 as responses print it: Julian calendar before 1582-10-15."""
    rest = millis % MINUTE
    return f"{_wire_minute(millis // MINUTE)}{rest // 1000:02d}.{rest % 1000:03d}"


def _complete_date(text: str) -> str:
    dashes = len(text.rstrip("-").split("-"))
    return text + {1: "-01-01", 2: "-01"}.get(dashes, "")


def parse_date(text: str) -> int:
    """Days since 1970-01-01 of "2024-02-29", "2024-02" or "2024". Raises ValueError."""
    match = _DATE.fullmatch(_complete_date(text))
    if match:
        sign, digits, month, day = match[1], match[2], int(match[3]), int(match[4])
        year = int(digits) if sign != "-" else -int(digits)
        fits = sign == "+" if len(digits) > 4 and sign != "-" else sign != "+"
        if fits and 1 <= month <= 12 and 1 <= day <= _month_length(year, month):
            return days_from_civil(year, month, day)
    raise ValueError(
        f"Failed to parse date '{text}'. Required format is: \"yyyy-MM-dd\", partials are supported"
    )


def parse_time(text: str) -> int:
    """Milliseconds of the day of "12:34", "12:34:56" or "12:34:56.789". Raises ValueError."""
    match = _TIME.fullmatch(text)
    if match:
        hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3] or 0)
        if hours < 24 and minutes < 60 and seconds < 60:
            nanos = int((match[4] or "").ljust(9, "0"))
            return ((hours * 60 + minutes) * 60 + seconds) * 1000 + nanos // 1_000_000
    raise ValueError(f"Failed to parse time '{text}'. Required format is: \"HH:mm:ss.SSS\"")


def _split_zone(text: str) -> tuple[str, int]:
    cut = next((text.index(c) for c in "+-" if c in text), len(text))
    time, zone = text[:cut], text[cut:]
    if not zone.strip():
        return time, 0
    match = _OFFSET.fullmatch(zone)
    if match is None or int(match[1]) > 18 or int(match[2] or 0) > 59:
        raise ValueError(f"Failed to parse timestamp: Failed to parse timezone '{zone}'")
    millis = ((int(match[1]) * 60 + int(match[2] or 0)) * 60 + int(match[3] or 0)) * 1000
    return time, -millis if zone[0] == "-" else millis


def parse_timestamp(text: str) -> int:
    """Milliseconds since 1970-01-01 UTC of "2024-02-29T12:34:56.789+0100" and its partial forms. Raises ValueError.

    As on the server, the day is cut to the length of its month: 2021-02-29 is 2021-02-28.
    """
    date, mark, rest = text.partition("T")
    offset = 0
    if mark:
        time, offset = _split_zone(rest)
        time = time[:-1] if time.endswith("Z") else time
    else:
        date, time = _complete_date(text), ""
    if len(time) < len(_PATTERN):
        time += re.sub("[a-zA-Z]", "0", _PATTERN[len(time) :])
    day_match, time_match = _DATE.fullmatch(date), _CLOCK.fullmatch(time)
    if day_match and time_match and day_match[1] != "-" and (len(day_match[2]) > 4) == (day_match[1] == "+"):
        year, month, day = int(day_match[2]), int(day_match[3]), int(day_match[4])
        hours, minutes, seconds, millis = map(int, time_match.groups())
        midnight = (hours, minutes, seconds, millis) == (24, 0, 0, 0)  # the end of the day, as in ISO 8601
        in_day = hours < 24 and minutes < 60 and seconds < 60
        if year and 1 <= month <= 12 and 1 <= day <= 31 and (in_day or midnight):
            days = days_from_civil(year, month, min(day, _month_length(year, month)))
            return days * DAY + ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis - offset
    raise ValueError(
        f"Failed to parse timestamp '{text}'. Required format is: \"yyyy-MM-dd'T'HH:mm:ss.SSS\", with an optional "
        'numeric 4-digit timezone; partials are supported, for example "2020-05-26"'
    )
