"""When a name needs quotes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from ksqlkit.dialect.words import RESERVED

_PLAIN: Final = re.compile(r"[A-Z_][A-Z0-9_@]*|[0-9][A-Z0-9_@]*[A-Z_@][A-Z0-9_@]*")
# A name made of digits with one E in the middle would be read as a number.
_FLOAT: Final = re.compile(r"[0-9]+E[0-9]+")


@lru_cache(maxsize=4096)
def needs_quotes(name: str) -> bool:
    """Whether the name without quotes would be read as something else."""
    return not _PLAIN.fullmatch(name) or name in RESERVED or bool(_FLOAT.fullmatch(name))


def in_quotes(name: str) -> str:
    """The name in back-quotes, whatever it is."""
    return "`" + name.replace("`", "``") + "`"


def quoted(name: str) -> str:
    """The name as it must be written in SQL to mean itself."""
    return in_quotes(name) if needs_quotes(name) else name


def string(text: str) -> str:
    """Text as a string literal."""
    return "'" + text.replace("'", "''") + "'"
