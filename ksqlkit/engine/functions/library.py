"""The families of built-in functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ksqlkit.engine.clock import Clock
from ksqlkit.engine.functions import agg_histogram, geo, masks  # noqa: F401  (they add to the families)
from ksqlkit.engine.functions.agg_basic import basic
from ksqlkit.engine.functions.agg_collect import collect
from ksqlkit.engine.functions.agg_distinct import distincts
from ksqlkit.engine.functions.agg_offset import offsets
from ksqlkit.engine.functions.agg_stats import stats
from ksqlkit.engine.functions.arrays import arrays
from ksqlkit.engine.functions.dates import clock_functions, dates
from ksqlkit.engine.functions.define import Family, Function
from ksqlkit.engine.functions.encodings import conversions
from ksqlkit.engine.functions.jsons import jsons
from ksqlkit.engine.functions.lambdas import lambdas
from ksqlkit.engine.functions.maps import maps
from ksqlkit.engine.functions.math import maths
from ksqlkit.engine.functions.nulls import conditional, other
from ksqlkit.engine.functions.regexps import regexps
from ksqlkit.engine.functions.strings import strings
from ksqlkit.engine.functions.tables import tables
from ksqlkit.engine.functions.urls import urls

_FAMILIES: Final[tuple[Family, ...]] = (
    arrays,
    basic,
    collect,
    conditional,
    conversions,
    dates,
    distincts,
    jsons,
    lambdas,
    maps,
    maths,
    offsets,
    other,
    regexps,
    stats,
    strings,
    tables,
    urls,
)

# DESCRIBE FUNCTION names no author for these.
_ANONYMOUS: Final = frozenset(
    (
        "ARRAY_CONCAT",
        "ARRAY_DISTINCT",
        "ARRAY_EXCEPT",
        "ARRAY_INTERSECT",
        "ARRAY_MAX",
        "ARRAY_MIN",
        "ARRAY_REMOVE",
        "ARRAY_SORT",
        "ARRAY_UNION",
        "ATTR",
        "CHR",
        "CONCAT",
        "CONCAT_WS",
        "EXTRACTJSONFIELD",
        "LCASE",
        "LEN",
        "LPAD",
        "MAP_KEYS",
        "MAP_UNION",
        "MAP_VALUES",
        "RANDOM",
        "RPAD",
        "SPLIT_TO_MAP",
        "TRIM",
        "UCASE",
        "UUID",
    )
)


def builtin_functions(clock: Clock) -> dict[str, Function]:
    """All built-in functions by name; `clock` answers UNIX_TIMESTAMP and UNIX_DATE."""
    found: dict[str, Function] = {}
    for family in (*_FAMILIES, clock_functions(clock)):
        found.update(family.functions)
    for name in _ANONYMOUS:
        found[name] = replace(found[name], author="")
    return found
