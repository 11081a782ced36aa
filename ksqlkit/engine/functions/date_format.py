"""Printing by a DateTimeFormatter pattern, in English."""

from __future__ import annotations

from collections.abc import Sequence

from ksqlkit.engine.functions.date_fields import TEXTS, Moment, day_period
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
from ksqlkit.errors import DataError


def format_moment(pattern: str, moment: Moment) -> str:
    """The text of a moment. Raises DataError for a wrong pattern or a field the moment does not have."""
    return _all(compile_pattern(pattern), moment)


def _all(elements: Sequence[Element], moment: Moment) -> str:
    return "".join([_one(e, moment) for e in elements])


def _one(element: Element, moment: Moment) -> str:
    match element:
        case Plain():
            return element.text
        case Number():
            return _number(element, moment.value(element.field))
        case Text():
            base, styles = TEXTS[element.field]
            texts = styles.get(element.style, styles["short"])
            return texts[moment.value(element.field) - base]
        case Offset():
            return _offset(element.form, element.zero, moment.offset)
        case ZoneText():
            return _zone(element.style, moment)
        case Padded():
            text = _one(element.inner, moment)
            if len(text) > element.width:
                raise DataError(
                    f"Cannot print as output of {len(text)} characters exceeds pad width of {element.width}"
                )
            return text.rjust(element.width)
        case Optional():
            try:
                return _all(element.inner, moment)
            except DataError:
                return ""


def _number(element: Number, value: int) -> str:
    if element.fraction:
        return f"{value:09d}"[: element.least]
    if element.reduced:
        return f"{abs(value) % 100:02d}"
    digits = str(abs(value))
    if len(digits) > element.most or (value < 0 and element.sign == "never"):
        raise DataError(
            f"Field {element.field} cannot be printed as the value {value} exceeds the maximum print width"
        )
    sign = "-" if value < 0 else "+" if element.sign == "pad" and len(digits) > element.least else ""
    return sign + digits.zfill(element.least)


def _offset(form: str, zero: str, seconds: int) -> str:
    if seconds == 0:
        return zero
    colon = ":" if ":" in form else ""
    hours, minutes, rest = abs(seconds) // 3600, abs(seconds) // 60 % 60, abs(seconds) % 60
    text = f"{hours:02d}"
    if "MM" in form or minutes:
        text += f"{colon}{minutes:02d}"
    if "ss" in form and rest:
        text += f"{colon}{rest:02d}"
    if not (hours or (minutes and len(text) > 2) or (rest and "ss" in form)):
        return zero
    return ("-" if seconds < 0 else "+") + text


def _zone(style: str, moment: Moment) -> str:
    if style == "period":
        if moment.nanos is None:
            raise DataError("Unsupported field: DayPeriod")
        return day_period(moment.nanos)
    if style.startswith("gmt"):
        return _gmt(moment.offset, style == "gmt_long")
    if moment.zone is None:
        raise DataError("Unable to extract ZoneId from temporal")
    if style == "id":
        return moment.zone.name
    return moment.zone.text(moment.instant, long=style.endswith("long"), generic=style.startswith("generic"))


def _gmt(seconds: int, long: bool) -> str:
    if seconds == 0:
        return "GMT"
    hours, minutes, rest = abs(seconds) // 3600, abs(seconds) // 60 % 60, abs(seconds) % 60
    text = (
        f"{hours:02d}:{minutes:02d}" if long else f"{hours}:{minutes:02d}" if minutes or rest else str(hours)
    )
    return f"GMT{'-' if seconds < 0 else '+'}{text}" + (f":{rest:02d}" if rest else "")
