"""Types as ksqlDB shows them."""

from __future__ import annotations

from collections.abc import Callable

from ksqlkit.dialect import types as t


def type_text(found: t.SqlType, quote: Callable[[str], str]) -> str:
    """The text of a type; `quote` decides how field names are written."""
    if isinstance(found, t.Array):
        return f"ARRAY<{type_text(found.item, quote)}>"
    if isinstance(found, t.Map):
        return f"MAP<{type_text(found.key, quote)}, {type_text(found.value, quote)}>"
    if isinstance(found, t.Struct):
        fields = ", ".join(f"{quote(name)} {type_text(item, quote)}" for name, item in found.fields)
        return f"STRUCT<{fields or ' '}>"  # without the blank, <> would be read as "not equal"
    return quote(found.name) if isinstance(found, t.Named) else str(found)
