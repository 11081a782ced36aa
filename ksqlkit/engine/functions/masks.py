"""MASK functions: characters replaced by a character for their class."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final

from ksqlkit.engine.functions.strings import strings
from ksqlkit.engine.functions.utf16 import joined, units
from ksqlkit.errors import DataError

_DEFAULTS: Final = ("X", "x", "n", "-")
_CLASSES: Final = {"Lu": 0, "Ll": 1, "Nd": 2}
_MASKS: Final = "".join(
    f", VARCHAR {c} mask, or NULL to use default" for c in ("upper-case", "lower-case", "digit")
)
_ALL: Final = f"{_MASKS}, VARCHAR mask for other characters, or NULL to use default"

Cut = Callable[[int, int], tuple[int, int]]


def masked(text: str, masks: tuple[str | None, ...]) -> str:
    """The text, in UTF-16 units, masked; None keeps the characters of a class. The first half of a pair counts as the
    whole character and the second half is masked again, as Java does."""
    out = []
    for i, char in enumerate(text):
        whole = joined(text[i : i + 2]) if "\ud800" <= char <= "\udbff" else char
        shown = whole if len(whole) == 1 else char
        mask = masks[_CLASSES.get(unicodedata.category(shown), 3)]
        out.append(units(shown) if mask is None else mask)
    return joined("".join(out))


def _declare(name: str, text: str, argument: str, cut: Cut | None) -> None:
    """Declare a function; `cut(length, n)` is the range of the string to mask."""

    def mask(value: str | None, *options: str | int | None) -> str | None:
        count = options[0] if cut else 0
        given = tuple(None if o is None else str(o) for o in (options[1:] if cut else options)) or _DEFAULTS
        for one in given:
            if one is not None and len(units(one)) != 1:
                raise DataError(f"Invalid mask character. Must be only single character, but was '{one}'")
        if not isinstance(count, int):
            raise DataError(f"{name}: the number of characters must not be NULL")
        if count < 0:
            raise DataError(
                f"function {name.lower()} requires a non-negative number of characters to mask or skip"
            )
        if value is None:
            return None
        whole = units(value)
        start, end = cut(len(whole), count) if cut else (0, len(whole))
        return joined(whole[:start] + units(masked(whole[start:end], given)) + whole[end:])

    mask.__doc__ = text
    number = f", INT number of characters to {argument}" if cut else ""
    head = f"{name}(VARCHAR input STRING to be masked{number}"
    shapes = (f"{head}{_ALL}) -> VARCHAR", f"{head}) -> VARCHAR")
    strings.scalar(*(shapes if cut else shapes[::-1]), sees_null=True)(mask)


_declare("MASK", "The string with its characters masked by class.", "", None)
_declare(
    "MASK_KEEP_LEFT",
    "Like MASK, but keeps the first n characters.",
    "keep unmasked at the start",
    lambda size, n: (min(n, size), size),
)
_declare(
    "MASK_KEEP_RIGHT",
    "Like MASK, but keeps the last n characters.",
    "keep unmasked at the end",
    lambda size, n: (0, max(0, size - n)),
)
_declare(
    "MASK_LEFT",
    "Like MASK, for the first n characters only.",
    "mask from the start",
    lambda size, n: (0, min(n, size)),
)
_declare(
    "MASK_RIGHT",
    "Like MASK, for the last n characters only.",
    "mask before the end",
    lambda size, n: (max(0, size - n), size),
)
