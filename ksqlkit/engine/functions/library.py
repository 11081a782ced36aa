"""The families of built-in functions."""

from __future__ import annotations

from typing import Final

from ksqlkit.engine.functions.agg_basic import basic
from ksqlkit.engine.functions.agg_collect import collect
from ksqlkit.engine.functions.agg_offset import offsets
from ksqlkit.engine.functions.arrays import arrays
from ksqlkit.engine.functions.define import Family
from ksqlkit.engine.functions.lambdas import lambdas
from ksqlkit.engine.functions.maps import maps
from ksqlkit.engine.functions.math import maths
from ksqlkit.engine.functions.nulls import conditional, other
from ksqlkit.engine.functions.strings import strings

FAMILIES: Final[tuple[Family, ...]] = (
    arrays,
    basic,
    collect,
    conditional,
    lambdas,
    maps,
    maths,
    offsets,
    other,
    strings,
)
