"""The families of built-in functions."""

from __future__ import annotations

from typing import Final

from ksqlkit.engine.functions import geo, masks  # noqa: F401  (they add to `other` and `strings`)
from ksqlkit.engine.functions.agg_basic import basic
from ksqlkit.engine.functions.agg_collect import collect
from ksqlkit.engine.functions.agg_distinct import distincts
from ksqlkit.engine.functions.agg_offset import offsets
from ksqlkit.engine.functions.agg_stats import stats
from ksqlkit.engine.functions.arrays import arrays
from ksqlkit.engine.functions.define import Family
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

FAMILIES: Final[tuple[Family, ...]] = (
    arrays,
    basic,
    collect,
    conditional,
    conversions,
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
