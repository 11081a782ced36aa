"""Patterns of java.time's DateTimeFormatter, taken apart into elements."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

from ksqlkit.errors import DataError

Sign = Literal["normal", "never", "pad"]  # a minus as needed; no sign; plus beyond the width


@dataclass(frozen=True, slots=True)
class Plain:
    """Text as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Number:
    """A field as digits. `after` is how many digits of following fixed fields a parser must leave; -1: fixed itself."""

    field: str
    least: int
    most: int = 19
    sign: Sign = "normal"
    reduced: bool = False
    fraction: bool = False
    after: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """A field as an English word."""

    field: str
    style: str


@dataclass(frozen=True, slots=True)
class Offset:
    """An offset: a form such as +HH:MM:ss (lower case: only if not zero) and the text for none."""

    form: str
    zero: str


@dataclass(frozen=True, slots=True)
class ZoneText:
    """A zone: `id`, `short`, `long`, or `gmt` and `gmt_long` for a localized offset; `period` for the day period."""

    style: str


@dataclass(frozen=True, slots=True)
class Padded:
    """An element padded with spaces on the left."""

    width: int
    inner: Element


@dataclass(frozen=True, slots=True)
class Optional:
    """Elements in square brackets."""

    inner: tuple[Element, ...]


Element = Plain | Number | Text | Offset | ZoneText | Padded | Optional

_TWO: Final = {
    "d": "day",
    "h": "clock_hour_ampm",
    "H": "hour",
    "k": "clock_hour",
    "K": "hour_ampm",
    "m": "minute",
    "s": "second",
}
_STYLES: Final = {3: "short", 4: "full", 5: "narrow"}
_TEXTUAL: Final = {"M": "month", "L": "month", "Q": "quarter", "q": "quarter"}
_X_FORMS: Final = ("+HHmm", "+HHMM", "+HH:MM", "+HHMMss", "+HH:MM:ss")


@lru_cache(maxsize=1000)
def compile_pattern(pattern: str) -> tuple[Element, ...]:
    """The elements of a pattern. Raises DataError as Java refuses it."""
    return _Compiler(pattern).run()


class _Compiler:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.stack: list[list[Element]] = [[]]
        self.value_at: list[int] = [-1]  # for each level, the number that takes adjacent digits, or -1
        self.pad = 0

    def wrong(self, why: str) -> DataError:
        return DataError(f"{why}: {self.pattern}")

    def run(self) -> tuple[Element, ...]:
        i = 0
        while i < len(self.pattern):
            char = self.pattern[i]
            if char.isascii() and char.isalpha():
                end = i
                while end < len(self.pattern) and self.pattern[end] == char:
                    end += 1
                if char == "p":
                    self.pad = end - i
                    if end == len(self.pattern) or not self.pattern[end].isalpha():
                        raise self.wrong("Pad letter 'p' must be followed by valid pad pattern")
                else:
                    self.letter(char, end - i)
                i = end
            elif char == "'":
                i = self.quoted(i + 1)
            else:
                self.mark(char)
                i += 1
        while len(self.stack) > 1:
            self.close()
        return tuple(self.stack[0])

    def quoted(self, start: int) -> int:
        """Text up to the closing quote; a doubled quote is a quote, as is an empty text."""
        end = start
        while True:
            end = self.pattern.find("'", end)
            if end < 0:
                raise self.wrong("Pattern ends with an incomplete string literal")
            if self.pattern[end + 1 : end + 2] != "'":
                break
            end += 2
        self.add(Plain(self.pattern[start:end].replace("''", "'") or "'"))
        return end + 1

    def mark(self, char: str) -> None:
        if char == "[":
            self.stack.append([])
            self.value_at.append(-1)
        elif char == "]":
            if len(self.stack) == 1:
                raise self.wrong("Pattern invalid as it contains ] without previous [")
            self.close()
        elif char in "{}#":
            raise self.wrong(f"Pattern includes reserved character: '{char}'")
        else:
            self.add(Plain(char))

    def close(self) -> None:
        inner = self.stack.pop()
        self.value_at.pop()
        self.add(Optional(tuple(inner)))

    def add(self, element: Element) -> int:
        if self.pad:
            element, self.pad = Padded(self.pad, element), 0
        self.stack[-1].append(element)
        self.value_at[-1] = -1
        return len(self.stack[-1]) - 1

    def number(self, made: Number) -> None:
        """Add a number. Fixed fields that follow a number without a separator share its digits."""
        active, at = self.stack[-1], self.value_at[-1]
        if at < 0 or self.pad:
            self.value_at[-1] = self.add(made)
            return
        base = active[at]
        if not isinstance(base, Number):
            raise self.wrong("A padded number cannot be followed by another one")
        if made.least == made.most and made.sign == "never":
            active[at] = replace(base, after=max(base.after, 0) + made.most)
            active.append(replace(made, after=-1))
        else:
            active[at] = replace(base, after=base.after or -1)
            active.append(made)
            self.value_at[-1] = len(active) - 1

    def letter(self, char: str, count: int) -> None:
        if char in _TWO:
            self.need(count <= 2)
            self.number(Number(_TWO[char], count, *((19, "normal") if count == 1 else (2, "never"))))
        elif char in "uyY":
            self.year({"u": "year", "y": "year_of_era", "Y": "week_year"}[char], count)
        elif char in _TEXTUAL:
            self.need(count <= 5)
            if count > 2:
                self.add(Text(_TEXTUAL[char], _STYLES[count]))
            else:
                self.number(Number(_TEXTUAL[char], count, *((19, "normal") if count == 1 else (2, "never"))))
        elif char in "Eec":
            self.day_of_week(char, count)
        elif char in "VvzOXxZ":
            self.zone(char, count)
        elif char == "S":
            self.need(count <= 9)
            self.number(Number("nano", count, count, "never", fraction=True))
        elif char == "D":
            self.need(count <= 3)
            self.number(Number("day_of_year", count, *((19, "normal") if count == 1 else (3, "never"))))
        elif char in "GaB":
            self.need(count <= (1 if char == "a" else 5))
            if char == "B":
                self.need(count in (1, 4, 5))
                self.add(ZoneText("period"))
            else:
                self.add(Text({"G": "era", "a": "ampm"}[char], _STYLES.get(count, "short")))
        elif char in "wWF":
            self.need(count <= (2 if char == "w" else 1))
            field = {"w": "week", "W": "week_of_month", "F": "aligned_weekday"}[char]
            most = {"w": 2, "W": 1, "F": 19}[char]
            self.number(Number(field, count, most, "never" if char != "F" else "normal"))
        elif char in "AnNg":
            field = {"A": "milli_of_day", "n": "nano", "N": "nano_of_day", "g": "modified_julian"}[char]
            self.number(Number(field, count, 19, "normal" if char == "g" else "never"))
        else:
            raise self.wrong(f"Unknown pattern letter: {char}")

    def need(self, fine: bool) -> None:
        if not fine:
            raise self.wrong("Too many pattern letters")

    def year(self, field: str, count: int) -> None:
        if count == 2:
            self.number(Number(field, 2, 2, "never", reduced=True))
        else:
            self.number(Number(field, count, 19, "normal" if count < 4 else "pad"))

    def day_of_week(self, char: str, count: int) -> None:
        self.need(count <= 5 and not (char == "c" and count == 2))
        if count > 2 or char == "E":
            self.add(Text("weekday", _STYLES.get(count, "short")))
        else:
            self.number(Number("local_weekday", count, count, "never"))

    def zone(self, char: str, count: int) -> None:
        if char == "V":
            if count != 2:
                raise self.wrong("Pattern letter count must be 2")
            self.add(ZoneText("id"))
        elif char in "vO":
            if count not in (1, 4):
                raise self.wrong("Wrong number of pattern letters")
            styles = {"O": ("gmt", "gmt_long"), "v": ("generic", "generic_long")}[char]
            self.add(ZoneText(styles[count == 4]))
        elif char == "z":
            self.need(count <= 4)
            self.add(ZoneText("long" if count == 4 else "short"))
        elif char in "Xx":
            self.need(count <= 5)
            form = _X_FORMS[count - 1]
            zero = "Z" if char == "X" else {1: "+00", 2: "+0000", 4: "+0000"}.get(count, "+00:00")
            self.add(Offset(form, zero))
        else:
            self.need(count <= 5)
            if count == 4:
                self.add(ZoneText("gmt_long"))
            else:
                self.add(Offset("+HHMM", "+0000") if count < 4 else Offset("+HH:MM:ss", "Z"))
