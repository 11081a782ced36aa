"""PARSE_DATE's parser: commons-lang's FastDateFormat on a lenient calendar, Julian before 15 October 1582."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ksqlkit.engine.expressions.times import days_from_civil
from ksqlkit.engine.functions.date_fields import MONTHS, US_WEEKS, WEEKDAYS, from_week, weekday
from ksqlkit.engine.functions.zones import DAY, NAMED_ZONES, zone_of
from ksqlkit.errors import DataError

_CUTOVER: Final = days_from_civil(1582, 10, 15)
_TOKEN: Final = re.compile(r"([A-Za-z])\1*|'(?:[^']|'')*'|[^A-Za-z']+")
_NUMBERS: Final = frozenset("yYMLdDFWwuHkKhmsS")
_DAY_RULES: Final = ("d", "D", "w", "W", "F")


@dataclass(frozen=True, slots=True)
class _Step:
    """One element: a letter, its number of repetitions, and the digits it may take (0: all)."""

    letter: str
    count: int
    width: int = 0


@lru_cache(maxsize=1000)
def _steps(pattern: str) -> tuple[_Step | str, ...]:
    found: list[_Step | str] = []
    at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if not token:
            raise DataError(f"Unterminated quote: {pattern}")
        at = token.end()
        if token[1]:
            if token[1] not in _NUMBERS and token[1] not in "EGaXZz":
                raise DataError(f"Format '{token[0]}' not supported")
            found.append(_Step(token[1], len(token[0])))
        else:
            text = token[0]
            found.append(text if text[0] != "'" else text[1:-1].replace("''", "'") or "'")
    for i in range(len(found) - 1):
        one, after = found[i], found[i + 1]
        if _is_number(one) and _is_number(after) and isinstance(one, _Step):
            found[i] = _Step(one.letter, one.count, one.count)
    return tuple(found)


def _is_number(step: _Step | str) -> bool:
    return (
        isinstance(step, _Step) and step.letter in _NUMBERS and not (step.letter in "ML" and step.count >= 3)
    )


def parse_fast_date(pattern: str, text: str) -> int:
    """Days since 1970-01-01; text after the date is ignored. Raises DataError, also where a time of day is given."""
    fields: dict[str, int] = {}
    at = 0
    for step in _steps(pattern):
        if isinstance(step, str):
            if not text.startswith(step, at):
                raise DataError(f"Unparseable date: {text}")
            at += len(step)
        else:
            at = _number(step, text, at, fields) if _is_number(step) else _word(step, text, at, fields)
    millis = _days(fields) * DAY + _millis(fields) - fields.get("X", 0) * 1000
    if millis % DAY:
        raise DataError("Date format contains time field.")
    return millis // DAY


def _set(fields: dict[str, int], name: str, value: int) -> None:
    fields.pop(name, None)  # the last field set decides between conflicting ones
    fields[name] = value


def _number(step: _Step, text: str, at: int, fields: dict[str, int]) -> int:
    if not step.width:
        while text[at : at + 1].isspace():
            at += 1
    end = at
    while end < len(text) and text[end].isdecimal() and not (step.width and end - at >= step.width):
        end += 1
    if end == at:
        raise DataError(f"Unparseable date: {text}")
    value = int(text[at:end])
    letter = {"Y": "y", "L": "M"}.get(step.letter, step.letter)
    if value >= 1 << 31:
        raise DataError(f"Unparseable date: {text}")
    if letter == "y" and step.count <= 2 and value < 100:
        value = _full_year(value)
    if (letter, value) in (("h", 12), ("k", 24)):
        value = 0
    _set(fields, {"h": "K", "k": "H"}.get(letter, letter), value)
    return end


def _full_year(value: int) -> int:
    """Two digits of a year: within the 80 years before and 20 after today."""
    start = time.gmtime().tm_year - 80
    century = start // 100 * 100
    return century + value if value >= start % 100 else century + 100 + value


def _word(step: _Step, text: str, at: int, fields: dict[str, int]) -> int:
    if step.letter in "XZz":
        return _zone(text, at, fields)
    names: dict[str, tuple[tuple[str, int], ...]] = {
        "M": tuple((m, i + 1) for i, m in enumerate(MONTHS)),
        "E": tuple((d, i % 7 + 1) for i, d in enumerate(WEEKDAYS)),
        "G": (("BC", 0), ("AD", 1)),
        "a": (("AM", 0), ("PM", 1)),
    }
    letter = "M" if step.letter == "L" else step.letter
    rest = text[at:].lower()
    for name, value in names[letter]:
        for form in (name, name[:3]):
            if rest.startswith(form.lower()):
                _set(fields, {"E": "u"}.get(letter, letter), value)
                return at + len(form)
    raise DataError(f"Unparseable date: {text}")


def _zone(text: str, at: int, fields: dict[str, int]) -> int:
    found = re.compile(r"Z|(?:GMT)?([+-])(\d\d?):?(\d\d)?|[A-Za-z/_]+").match(text, at)
    if not found:
        raise DataError(f"Unparseable date: {text}")
    if found[1]:
        seconds = int(found[2]) * 3600 + int(found[3] or 0) * 60
        fields["X"] = -seconds if found[1] == "-" else seconds
    elif found[0] != "Z":
        fields["X"] = zone_of(NAMED_ZONES.get(found[0].upper(), found[0])).standard_offset()
    return found.end()


def _first_of(year: int, month: int) -> int:
    """The first day of a month of the hybrid calendar; any month number."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    days = days_from_civil(year, month, 1)
    return days if days >= _CUTOVER else _julian(year, month)


def _julian(year: int, month: int) -> int:
    """Days of the first of a month of the Julian calendar."""
    shifted = year - (month <= 2)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5
    return shifted * 365 + shifted // 4 + of_year - 719470


def _days(fields: dict[str, int]) -> int:
    year = fields.get("y", 1970)
    if fields.get("G") == 0:
        year = 1 - year
    rule = next((n for n in reversed(fields) if n in _DAY_RULES), "")
    month = fields.get("M", 1)
    if rule == "D":
        return _first_of(year, 1) + fields["D"] - 1
    if rule == "w":
        day = (fields["u"] - US_WEEKS.first) % 7 + 1 if "u" in fields else 1
        return from_week(year, fields["w"], day, US_WEEKS)
    if rule in ("W", "F") or (not rule and "u" in fields and "M" not in fields):
        return _by_weekday(rule, year, month, fields)
    return _first_of(year, month) + fields.get("d", 1) - 1


def _by_weekday(rule: str, year: int, month: int, fields: dict[str, int]) -> int:
    """A week of the month, or the n-th such weekday of it."""
    first = _first_of(year, month)
    wanted = fields.get("u", 7)
    if rule == "F":
        return first + (wanted - weekday(first)) % 7 + 7 * (fields["F"] - 1)
    start = first - weekday(first) % 7  # the Sunday of the first week
    return start + 7 * (fields.get("W", 1) - 1) + wanted % 7


def _millis(fields: dict[str, int]) -> int:
    hour = fields.get("H", fields.get("K", 0) + 12 * fields.get("a", 0))
    return ((hour * 60 + fields.get("m", 0)) * 60 + fields.get("s", 0)) * 1000 + fields.get("S", 0)
