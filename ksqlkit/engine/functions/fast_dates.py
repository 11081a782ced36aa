"""PARSE_DATE's parser: commons-lang's FastDateFormat on a lenient calendar, Julian before 15 October 1582."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ksqlkit.engine.expressions.times import days_from_civil
from ksqlkit.engine.functions.date_fields import MONTHS, WEEKDAYS, weekday
from ksqlkit.engine.functions.zones import DAY, named_zones, zone_of
from ksqlkit.errors import DataError

_CUTOVER: Final = days_from_civil(1582, 10, 15)
_TOKEN: Final = re.compile(r"([A-Za-z])\1*|'(?:[^']|'')*'|[^A-Za-z']+")
_NUMBERS: Final = frozenset("yYMLdDFWwuHkKhmsS")


def _forms(names: Sequence[tuple[str, ...]], first: int) -> list[tuple[str, int]]:
    """The names in lower case with their values, longer ones first."""
    forms = [(form.lower(), i) for i, known in enumerate(names, first) for form in known]
    return sorted(forms, key=lambda form: -len(form[0]))


_NAMES: Final = {
    "M": _forms([(m, m[:3]) for m in MONTHS], 1),
    "E": _forms([(d, d[:3]) for d in WEEKDAYS], 1),
    "G": _forms([("Before Christ", "BCE", "BC", "B"), ("Anno Domini", "CE", "AD", "A")], 0),
    "a": _forms([("AM", "A"), ("PM", "P")], 0),
}
_NAME: Final = "|".join(map(re.escape, named_zones()))
_ZONES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:(?i:GMT)(?=[+-]\d\d?:\d\d)|(?=[+-]\d{{4}}))([+-])(\d\d?):?(\d\d)|(?i:{_NAME})",
        r"Z|([+-])(\d\d)()",
        r"Z|([+-])(\d\d)(\d\d)",
        r"Z|([+-])(\d\d):(\d\d)",
    )
)


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
        return _zone(step, text, at, fields)
    letter = "M" if step.letter == "L" else step.letter
    rest = text[at:].lower()
    for form, value in _NAMES[letter]:
        if rest.startswith(form):
            _set(fields, {"E": "u"}.get(letter, letter), value)
            return at + len(form)
    raise DataError(f"Unparseable date: {text}")


def _zone(step: _Step, text: str, at: int, fields: dict[str, int]) -> int:
    """ISO 8601 for X and ZZ; for Z and z an RFC 822 offset, GMT with one, or a zone's name."""
    if step.letter == "X" and step.count > 3:
        raise DataError("invalid number of X")
    kind = step.count if step.letter == "X" else 3 if (step.letter, step.count) == ("Z", 2) else 0
    found = _ZONES[kind].match(text, at)
    if not found:
        raise DataError(f"Unparseable date: {text}")
    sign, hours, minutes = found.groups()
    if sign:
        seconds = int(hours) * 3600 + int(minutes or 0) * 60
        fields["X"] = -seconds if sign == "-" else seconds
    elif not kind:
        fields["X"] = zone_of(named_zones()[found[0].upper()]).standard_offset()
    return found.end()


def _gregorian(year: int, month: int) -> int:
    """Days of the first of a month; any month number."""
    return days_from_civil(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)


def _julian(year: int, month: int) -> int:
    """Days of the first of a month of the Julian calendar; any month number."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    shifted = year - (month <= 2)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5
    return shifted * 365 + shifted // 4 + of_year - 719470


def _days(fields: dict[str, int]) -> int:
    year = fields.get("y", 1970)
    if fields.get("G") == 0:
        year = 1 - year
    rule = _day_rule(fields)
    days = _days_by(rule, year, fields, _gregorian)
    if year > 1582 or (days >= _CUTOVER and rule not in ("D", "w")):
        return days
    return _days_by(rule, year, fields, _julian)


def _day_rule(fields: dict[str, int]) -> str:
    """Which fields decide: d of the month, D of the year, w(eek) of the year, W(eek) of the month, or F, the n-th such
    weekday of the month. As in Java's calendars those that were set last do."""
    stamps = {name: i for i, name in enumerate(fields, 1)}
    on_weekday = stamps.get("u", 0)

    def both(name: str) -> int:
        return max(stamps[name], on_weekday) if name in stamps and on_weekday else 0

    found = {"d": stamps.get("d", 0), "W": both("W"), "F": both("F"), "D": stamps.get("D", 0), "w": both("w")}
    if not any(found.values()):
        found = {"W": stamps.get("W", 0), "F": max(stamps.get("F", 0), on_weekday), "w": stamps.get("w", 0)}
    return max(found, key=lambda name: (found[name], stamps.get(name, 0))) if any(found.values()) else "d"


def _days_by(rule: str, year: int, fields: dict[str, int], first_of: Callable[[int, int], int]) -> int:
    first = first_of(year, 1 if rule in ("D", "w") else fields.get("M", 1))
    if rule in ("d", "D"):
        return first + fields.get(rule, 1) - 1
    wanted = fields.get("u", 7)
    if rule == "F":
        return first + (wanted - weekday(first)) % 7 + 7 * (fields.get("F", 1) - 1)
    start = first - weekday(first) % 7  # the Sunday of the first week
    return start + 7 * (fields.get(rule, 1) - 1) + wanted % 7


def _millis(fields: dict[str, int]) -> int:
    last = next((name for name in reversed(fields) if name in ("H", "K", "a")), "H")
    of_day = "H" in fields and (last == "H" or not {"K", "a"} <= fields.keys())
    hour = fields["H"] if of_day else fields.get("K", 0) + 12 * fields.get("a", 0)
    return ((hour * 60 + fields.get("m", 0)) * 60 + fields.get("s", 0)) * 1000 + fields.get("S", 0)
