"""The families of built-in functions."""

from __future__ import annotations

from typing import Final

from ksqlkit.engine.functions.agg_basic import basic
from ksqlkit.engine.functions.agg_collect import collect
from ksqlkit.engine.functions.agg_offset import offsets
from ksqlkit.engine.functions.define import Family
from ksqlkit.engine.functions.nulls import conditional, other
from ksqlkit.engine.functions.strings import strings

FAMILIES: Final[tuple[Family, ...]] = (basic, collect, offsets, strings, conditional, other)
