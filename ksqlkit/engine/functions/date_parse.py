"""Parsing by a DateTimeFormatter pattern: text to fields, fields to a date and a time (Java's SMART resolution)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ksqlkit.engine.expressions.times import civil_from_days, days_from_civil
from ksqlkit.engine.functions.date_fields import (
    DATE_FIELDS,
    TEXTS,
    US_WEEKS,
    Weeks,
    from_week,
    local_weekday,
    week_of_month,
    weekday,
)
from ksqlkit.engine.functions.date_patterns import (
    Element,
    Number,
    Offset,
    Optional,
    Padded,
    Plain,
    Text,
    ZoneText,
    compile_pattern,
)
from ksqlkit.engine.functions.zones import Zone, named_zones, offset_name, zone_in_any_case, zone_of
from ksqlkit.errors import DataError

Texts = Mapping[str, tuple[int, dict[str, tuple[str, ...]]]]
_RANGES: Final = {
    "era": (0, 1),
    "year_of_era": (1, 999_999_999),
    "month": (1, 12),
    "day": (1, 31),
    "day_of_year": (1, 366),
    "quarter": (1, 4),
    "weekday": (1, 7),
    "local_weekday": (1, 7),
    "aligned_weekday": (1, 7),
    "hour": (0, 24),
    "clock_hour": (1, 24),
    "hour_ampm": (0, 11),
    "clock_hour_ampm": (1, 12),
    "minute": (0, 59),
    "second": (0, 59),
    "nano": (0, 999_999_999),
    "milli_of_day": (0, 86_399_999),
    "nano_of_day": (0, 86_399_999_999_999),
}
_OFFSET: Final = re.compile(r"[+-]\d\d?(?::?\d\d(?::?\d\d)?)?")
_GMT: Final = re.compile(r"([+-])(\d\d?)(?::(\d\d)(?::(\d\d))?)?")
_GMT_LONG: Final = re.compile(r"([+-])(\d\d):(\d\d)(?::(\d\d))?")
_ZONE: Final = re.compile(r"[A-Za-z0-9~/._+:-]+")


@dataclass(slots=True)
class Parsed:
    """What a text says: a whole date and time where the fields suffice, and the fields that are left."""

    fields: dict[str, int] = field(default_factory=dict)
    zone: Zone | None = None
    days: int | None = None
    nanos: int | None = None


class _Failure(Exception):
    """The text does not fit at a position."""

    def __init__(self, at: int) -> None:
        self.at = at


def parse_moment(pattern: str, text: str, texts: Texts = TEXTS) -> Parsed:
    """What a text says by a pattern; letters match in either case. Raises DataError."""
    reader = _Reader(text, texts)
    elements = compile_pattern(pattern)
    try:
        end = reader.all(elements, 0)
    except _Failure as e:
        raise DataError(f"Text '{text}' could not be parsed at index {e.at}") from None
    if end < len(text):
        raise DataError(f"Text '{text}' could not be parsed, unparsed text found at index {end}")
    parsed = Parsed(reader.fields, reader.zone)
    try:
        _resolve(parsed, US_WEEKS)
    except DataError as e:
        raise DataError(f"Text '{text}' could not be parsed: {e.message}") from None
    return parsed


class _Reader:
    """Reads elements from a text into fields."""

    def __init__(self, text: str, texts: Texts) -> None:
        self.text = text
        self.texts = texts
        self.fields: dict[str, int] = {}
        self.zone: Zone | None = None

    def all(self, elements: Sequence[Element], at: int) -> int:
        for element in elements:
            at = self.one(element, at)
        return at

    def one(self, element: Element, at: int) -> int:
        match element:
            case Plain():
                end = at + len(element.text)
                if self.text[at:end].lower() != element.text.lower():
                    raise _Failure(at)
                return end
            case Number():
                return self.number(element, at)
            case Text():
                return self.word(element, at)
            case Offset():
                return self.offset(element, at)
            case ZoneText():
                return self.zone_text(element, at)
            case Padded():
                end = at + element.width
                start = at
                while start < end and self.text[start : start + 1] == " ":
                    start += 1
                whole, self.text = self.text, self.text[:end]
                try:
                    if end > len(whole) or self.one(element.inner, start) != end:
                        raise _Failure(at)
                finally:
                    self.text = whole
                return end
            case Optional():
                saved, zone = dict(self.fields), self.zone
                try:
                    return self.all(element.inner, at)
                except _Failure:
                    self.fields, self.zone = saved, zone
                    return at

    def put(self, name: str, value: int, at: int) -> None:
        if self.fields.setdefault(name, value) != value:
            raise _Failure(at)

    def number(self, element: Number, at: int) -> int:
        sign = self.text[at : at + 1]
        start = at
        if sign in ("+", "-") and sign:
            if not (element.sign == "pad" or (element.sign == "normal" and sign == "-")):
                raise _Failure(at)
            start += 1
        most = element.most + max(element.after, 0)
        end = start
        while end < len(self.text) and end - start < most and "0" <= self.text[end] <= "9":
            end += 1
        if element.after > 0:
            end = start + max(element.least, end - start - element.after)
        width = end - start
        digits = self.text[start:end]
        if width < element.least or not digits.isdigit():
            raise _Failure(at)
        value = int(digits)
        if sign == "-":
            if value == 0:
                raise _Failure(at)
            value = -value
        elif element.sign == "pad" and (width <= element.least if sign == "+" else width > element.least):
            raise _Failure(at)
        if element.fraction:
            value *= 10 ** (9 - width)
        elif element.reduced:
            value += 2000
        self.put(element.field, value, at)
        return end

    def word(self, element: Text, at: int) -> int:
        base, styles = self.texts[element.field]
        texts = styles.get(element.style, styles["short"])
        rest = self.text[at:].lower()
        values = {word.lower(): i for i, word in enumerate(texts)}  # of equal words the last one counts
        for word, index in sorted(values.items(), key=lambda p: -len(p[0])):
            if rest.startswith(word):
                self.put(element.field, base + index, at)
                return at + len(word)
        raise _Failure(at)

    def offset(self, element: Offset, at: int) -> int:
        found = _OFFSET.match(self.text, at)
        if not found:
            if self.text[at : at + len(element.zero)].upper() == element.zero.upper():
                self.put("offset", 0, at)
                return at + len(element.zero)
            raise _Failure(at)
        return self.offset_digits(element.form, at)

    def offset_digits(self, form: str, at: int) -> int:
        """An offset in a form such as +HH:MM:ss; upper case parts must be there."""
        colon = ":" if ":" in form else ""
        minutes = rf"(?:{colon}(\d\d))" if "MM" in form else rf"(?:{colon}(\d\d))?"
        seconds = rf"(?:{colon}(\d\d))?" if "ss" in form else "()?"
        found = re.compile(rf"([+-])(\d\d){minutes}{seconds}").match(self.text, at)
        if not found:
            raise _Failure(at)
        sign, hour, minute, second = found.groups()
        if int(minute or 0) > 59 or int(second or 0) > 59:
            raise _Failure(at)
        total = int(hour) * 3600 + int(minute or 0) * 60 + int(second or 0)
        self.put("offset", -total if sign == "-" else total, at)
        return found.end()

    def zone_text(self, element: ZoneText, at: int) -> int:
        if element.style.startswith("gmt"):
            if self.text[at : at + 3].upper() != "GMT":
                raise _Failure(at)
            if self.text[at + 3 : at + 4] not in ("+", "-"):
                self.put("offset", 0, at)
                return at + 3
            found = (_GMT_LONG if element.style == "gmt_long" else _GMT).match(self.text, at + 3)
            if not found:
                raise _Failure(at)
            sign, *parts = found.groups()
            total = sum(int(n or 0) * u for n, u in zip(parts, (3600, 60, 1), strict=True))
            self.put("offset", -total if sign == "-" else total, at)
            return found.end()
        if element.style == "period":
            raise _Failure(at)
        rest = self.text[at:].upper()
        name = next((n for n in named_zones() if rest.startswith(n)), "") if element.style != "id" else ""
        found = _ZONE.match(self.text, at)
        for end in range(found.end(), at + len(name), -1) if found else ():
            try:
                self.zone = zone_in_any_case(self.text[at:end])
            except DataError:
                continue
            return end
        if name:
            self.zone = zone_of(named_zones()[name])
            return at + len(name)
        if self.text[at : at + 1].upper() == "Z":
            self.zone = zone_of("Z")
            return at + 1
        raise _Failure(at)


def _resolve(parsed: Parsed, weeks: Weeks) -> None:
    fields = parsed.fields
    for name, value in fields.items():
        low, high = _RANGES.get(name, (value, value))
        if not low <= value <= high:
            raise DataError(f"Invalid value for {name} (valid values {low} - {high}): {value}")
    _resolve_year(fields)
    parsed.days = _resolve_date(fields, weeks)
    extra = _resolve_time(parsed)
    if parsed.days is not None:
        if fields.get("weekday", weekday(parsed.days)) != weekday(parsed.days):
            raise DataError("Conflict found: the day of the week is not that of the date")
        parsed.days += extra
        for name in [n for n in fields if n in DATE_FIELDS]:
            del fields[name]
    if "offset" in fields:
        seconds = fields.pop("offset")
        if parsed.zone is None:
            parsed.zone = zone_of(offset_name(seconds))


def _resolve_year(fields: dict[str, int]) -> None:
    if "year_of_era" in fields:
        of_era = fields.pop("year_of_era")
        era = fields.pop("era", 1)
        year = of_era if era else 1 - of_era
        if fields.setdefault("year", year) != year:
            raise DataError("Conflict found: two different years")


def month_length(year: int, month: int) -> int:
    """Days of a month."""
    return days_from_civil(year + month // 12, month % 12 + 1, 1) - days_from_civil(year, month, 1)


def _resolve_date(fields: dict[str, int], weeks: Weeks) -> int | None:
    if "modified_julian" in fields:
        return fields["modified_julian"] - 40587
    year = fields.get("year")
    if year is not None and "month" in fields and "day" in fields:
        return days_from_civil(year, fields["month"], min(fields["day"], month_length(year, fields["month"])))
    if year is not None and "day_of_year" in fields:
        days = days_from_civil(year, 1, 1) + fields["day_of_year"] - 1
        if civil_from_days(days)[0] != year:
            raise DataError(f"Invalid date 'DayOfYear 366' as '{year}' is not a leap year")
        return days
    if "local_weekday" in fields:
        day = (weeks.first - 1 + fields.pop("local_weekday") - 1) % 7 + 1
        if fields.setdefault("weekday", day) != day:
            raise DataError("Conflict found: two different days of the week")
    if "weekday" not in fields:
        return None
    day = (fields["weekday"] - weeks.first) % 7 + 1
    if "week" in fields and "week_year" in fields:
        if not 1 <= fields["week"] <= 53:
            raise DataError(
                f"Invalid value for WeekOfWeekBasedYear (valid values 1 - 52/53): {fields['week']}"
            )
        return from_week(fields["week_year"], fields["week"], day, weeks)
    if year is not None and "month" in fields and "week_of_month" in fields:
        first = days_from_civil(year, fields["month"], 1)
        into = local_weekday(first, weeks)
        return first + 7 * (fields["week_of_month"] - week_of_month(first, weeks)) + day - into
    return None


def _resolve_time(parsed: Parsed) -> int:
    """Sets the time if the fields suffice, takes them away, and returns the days that 24:00 adds."""
    fields = parsed.fields
    if "clock_hour" in fields:
        fields["hour"] = fields.pop("clock_hour") % 24
    if "clock_hour_ampm" in fields:
        fields["hour_ampm"] = fields.pop("clock_hour_ampm") % 12
    if "ampm" in fields and "hour_ampm" in fields:
        fields["hour"] = fields.pop("ampm") * 12 + fields.pop("hour_ampm")
    if "nano_of_day" in fields:
        parsed.nanos = fields.pop("nano_of_day")
        return 0
    if "milli_of_day" in fields:
        parsed.nanos = fields.pop("milli_of_day") * 1_000_000
        return 0
    if "ampm" in fields and fields.keys().isdisjoint(("hour", "hour_ampm", "minute", "second", "nano")):
        fields["hour"] = fields.pop("ampm") * 12 + 6  # the middle of the morning or of the evening
    if "hour" not in fields:
        return 0
    minute, second, nano = fields.get("minute"), fields.get("second"), fields.get("nano")
    if (minute is None and (second is not None or nano is not None)) or (second is None and nano is not None):
        return 0
    hour = fields["hour"]
    rest = (minute or 0) * 60 + (second or 0)
    if hour == 24 and (rest or nano):
        raise DataError("Invalid value for HourOfDay (valid values 0 - 23): 24")
    for name in ("hour", "minute", "second", "nano"):
        fields.pop(name, None)
    parsed.nanos = (hour % 24 * 3600 + rest) * 1_000_000_000 + (nano or 0)
    return hour // 24
