"""GEO_DISTANCE."""

from __future__ import annotations

import math
from typing import Final

from ksqlkit.engine import java_math
from ksqlkit.engine.functions.nulls import other
from ksqlkit.errors import DataError

_MILES: Final = ("mi", "mile", "miles")
_KILOMETRES: Final = ("km", "kilometer", "kilometers", "kilometre", "kilometres")


@other.scalar(
    "GEO_DISTANCE(DOUBLE lat1, DOUBLE lon1, DOUBLE lat2, DOUBLE lon2, VARCHAR units) -> DOUBLE",
    "GEO_DISTANCE(DOUBLE lat1, DOUBLE lon1, DOUBLE lat2, DOUBLE lon2) -> DOUBLE",
    sees_null=True,
)
def geo_distance(
    lat1: float | None, lon1: float | None, lat2: float | None, lon2: float | None, units: str | None = None
) -> float | None:
    """The great-circle distance of two points given in degrees, in kilometres (KM, the default) or miles (MI)."""
    if lat1 is None or lon1 is None or lat2 is None or lon2 is None:
        raise DataError("GEO_DISTANCE: no coordinate may be NULL")
    if abs(lat1) > 90 or abs(lat2) > 90:
        raise DataError(
            "valid latitude values for GeoDistance function are in the range of -90 to 90 decimal degrees"
        )
    if abs(lon1) > 180 or abs(lon2) > 180:
        raise DataError(
            "valid longitude values for GeoDistance function are in the range of -180 to +180 decimal degrees"
        )
    radius = _radius(units)
    a = java_math.sin(math.radians(lat2 - lat1) / 2) ** 2 + java_math.sin(
        math.radians(lon2 - lon1) / 2
    ) ** 2 * java_math.cos(math.radians(lat1)) * java_math.cos(math.radians(lat2))
    return 2 * java_math.asin(math.sqrt(a)) * radius


def _radius(units: str | None) -> int:
    unit = (units or "").strip().lower()
    if unit in _MILES:
        return 3959
    if not unit or unit in _KILOMETRES:
        return 6371
    raise DataError(
        f"GeoDistance function units parameter must be one of {', '.join((*_MILES, *_KILOMETRES)[:-1])}, "
        f"or {_KILOMETRES[-1]}. Values are case-insensitive."
    )
