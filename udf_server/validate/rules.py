"""The rules of a field: what its values may be. Learned profiles and rules written in SQL are the same thing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final

KINDS: Final = ("number", "whole", "boolean", "text")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a field of a row. `kind` is MISSING, UNKNOWN_FIELD, TYPE, RANGE, VALUE, PATTERN, LENGTH,
    DUPLICATE or INCONSISTENT."""

    field: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What is required of a field; None and empty are no requirement."""

    required: bool = False
    kind: str | None = None
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    pattern: str | None = None
    longest: int | None = None
    unique: bool = False

    def problems(self, field: str, value: Any) -> list[Problem]:
        """What is wrong with a value."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return [Problem(field, "MISSING", f"{field} has no value")] if self.required else []
        if self.kind is not None and not _is(value, self.kind):
            return [Problem(field, "TYPE", f"{field} is {_shown(value)}, not {_ARTICLE[self.kind]}")]
        found = []
        if self.low is not None or self.high is not None:
            number = _number(value)
            if number is None:
                found.append(Problem(field, "TYPE", f"{field} is {_shown(value)}, not a number"))
            elif self.low is not None and number < self.low:
                found.append(Problem(field, "RANGE", f"{field} is {short(value)}, below {self.low:g}"))
            elif self.high is not None and number > self.high:
                found.append(Problem(field, "RANGE", f"{field} is {short(value)}, above {self.high:g}"))
        if self.values and str(value) not in self.values:
            known = ", ".join(self.values[:5]) + (" ..." if len(self.values) > 5 else "")
            found.append(Problem(field, "VALUE", f"{field} is {_shown(value)}, none of {known}"))
        if self.longest is not None and len(str(value)) > self.longest:
            found.append(
                Problem(field, "LENGTH", f"{field} has {len(str(value))} characters, over {self.longest}")
            )
        if self.pattern is not None and shape(str(value)) != self.pattern:
            found.append(
                Problem(field, "PATTERN", f"{field} is {_shown(value)}, not of the form {self.pattern}")
            )
        return found

    def as_dict(self) -> dict[str, Any]:
        """For JSON, without what is not required."""
        return {k: v for k, v in asdict(self).items() if v not in (None, False, ())}

    @classmethod
    def of_dict(cls, given: Mapping[str, Any]) -> FieldRule:
        """What `as_dict` gave."""
        return cls(**{**given, "values": tuple(given.get("values", ()))})


_ARTICLE: Final = {
    "number": "a number",
    "whole": "a whole number",
    "boolean": "true or false",
    "text": "a text",
}
_TERM: Final = re.compile(
    r"(required|unique|number|whole|boolean|text)|(min|max|longest|one of|form)\s*=\s*(.+)", re.I
)


@lru_cache(maxsize=512)
def parse_rule(text: str) -> FieldRule:
    """A rule as SQL writes it, terms between semicolons: `required; number; min=0; max=100`, `one of=a|b|c`, `unique`,
    `longest=20`, `form=AA-999`. Raises ValueError for a term that is none of these."""
    given: dict[str, Any] = {}
    for term in filter(None, (part.strip() for part in text.split(";"))):
        match = _TERM.fullmatch(term)
        if match is None:
            raise ValueError(
                f"{term!r} is no rule: write required, unique, number, whole, boolean, text, min=, max=, one of=, "
                "longest= or form="
            )
        word, name, value = match.groups()
        if word:
            given |= (
                {word.lower(): True} if word.lower() in ("required", "unique") else {"kind": word.lower()}
            )
        elif name.lower() == "one of":
            given["values"] = tuple(v.strip() for v in value.split("|"))
        elif name.lower() == "form":
            given["pattern"] = value.strip()
        elif name.lower() == "longest":
            given["longest"] = int(_parsed(term, value, whole=True))
        else:
            given[{"min": "low", "max": "high"}[name.lower()]] = _parsed(term, value)
    return FieldRule(**given)


def _parsed(term: str, value: str, whole: bool = False) -> float:
    number = _number(value)
    if number is None or (whole and not (number.is_integer() and number >= 0)):
        raise ValueError(f"{term!r} is no rule: {value!r} is not {_ARTICLE['whole' if whole else 'number']}")
    return number


def shape(text: str) -> str:
    """The form of a short text: letters as A, digits as 9, the rest as it is."""
    return "".join("A" if c.isalpha() else "9" if c.isdigit() else c for c in text[:40])


def _is(value: Any, kind: str) -> bool:
    if kind == "boolean":
        return isinstance(value, bool) or str(value).lower() in ("true", "false")
    if kind == "text":
        return isinstance(value, str)
    number = _number(value)
    return number is not None and (kind == "number" or number.is_integer())


def _number(value: Any) -> float | None:
    """A finite number, or a text that reads as one."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _shown(value: Any) -> str:
    return short(repr(value))


def short(text: object) -> str:
    """As a message shows it: 40 characters at most."""
    shown = str(text)
    return shown if len(shown) <= 40 else shown[:37] + "..."
