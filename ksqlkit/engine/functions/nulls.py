"""COALESCE, IFNULL, NULLIF and AS_VALUE."""

from __future__ import annotations

from typing import Any

from ksqlkit.engine.functions.define import Family

conditional = Family("CONDITIONAL")
other = Family("OTHER")


@conditional.scalar("COALESCE(T first, T... others) -> T", sees_null=True)
def coalesce(*values: Any) -> Any:
    """The first argument that is not NULL."""
    for value in values:
        if value is not None:
            return value
    return None


@conditional.scalar("IFNULL(T expression, T altValue) -> T", sees_null=True)
def ifnull(value: Any, alternative: Any) -> Any:
    """The first argument, or the second if it is NULL."""
    return alternative if value is None else value


@conditional.scalar("NULLIF(T expr1, T expr2) -> T", sees_null=True)
def nullif(value: Any, other_value: Any) -> Any:
    """NULL if the arguments are equal, else the first."""
    return None if value == other_value else value


@other.scalar("AS_VALUE(T keyColumn) -> T", sees_null=True)
def as_value(value: Any) -> Any:
    """Copies a key column into the value of the row."""
    return value
