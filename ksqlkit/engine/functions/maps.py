"""Map functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ksqlkit.engine.functions.define import Family
from ksqlkit.engine.functions.utf16 import units
from ksqlkit.engine.serde.java_map import hash_order

maps = Family("MAP")


@maps.scalar("AS_MAP(ARRAY<VARCHAR> keys, ARRAY<T> values) -> MAP<VARCHAR, T>")
def as_map(keys: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """A map from an array of keys and an array of values; a missing value is NULL."""
    return {k: values[i] if i < len(values) else None for i, k in enumerate(keys)}


@maps.scalar("MAP_KEYS(MAP<VARCHAR, T> input) -> ARRAY<VARCHAR>")
def map_keys(value: dict[str | None, Any]) -> list[str | None]:
    """The keys of a map, in no defined order."""
    return list(hash_order(value))


@maps.scalar("MAP_VALUES(MAP<VARCHAR, T> input) -> ARRAY<T>")
def map_values(value: dict[str | None, Any]) -> list[Any]:
    """The values of a map, in no defined order."""
    return list(hash_order(value).values())


@maps.scalar("MAP_UNION(MAP<VARCHAR, T> map1, MAP<VARCHAR, T> map2) -> MAP<VARCHAR, T>", sees_null=True)
def map_union(first: dict[str, Any] | None, second: dict[str, Any] | None) -> dict[str, Any] | None:
    """The entries of both maps; where both have a key, the second wins."""
    return None if first is None and second is None else {**(first or {}), **(second or {})}


def entries(value: dict[str | None, Any], ordered: bool) -> list[dict[str, Any]]:
    """The entries of a map as structs of K and V, sorted by key if asked for."""
    keys = sorted(value, key=lambda k: units(k or "")) if ordered else hash_order(value)
    return [{"K": k, "V": value[k]} for k in keys]


for _type in ("VARCHAR", "BIGINT", "INT", "DOUBLE", "BOOLEAN"):
    maps.scalar(
        f"ENTRIES(MAP<VARCHAR, {_type}> map, BOOLEAN sorted) -> ARRAY<STRUCT<K VARCHAR, V {_type}>>",
        primitive=("sorted",),
    )(entries)
