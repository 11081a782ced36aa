"""FORECAST: the next values of a series given as an array, with bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from udf_server.forecasting import LEVEL, forecast_many
from udf_server.function import RowError, function

_MAX_HORIZON: Final = 1000
_MAX_HISTORY: Final = 20_000
_RESULT: Final = "ARRAY<STRUCT<STEP INTEGER, MEAN DOUBLE, LO DOUBLE, HI DOUBLE>>"


def _refusal(history: Sequence[Any], horizon: int, season: int, level: int) -> RowError | None:
    if not 1 <= horizon <= _MAX_HORIZON:
        return RowError(f"horizon must be from 1 to {_MAX_HORIZON}, not {horizon}")
    if season < 1:
        return RowError(f"season must be 1 or more, not {season}")
    if not 1 <= level <= 99:
        return RowError(f"level is a percentage from 1 to 99, not {level}")
    if len(history) > _MAX_HISTORY:
        return RowError(f"{len(history)} values of history; the limit is {_MAX_HISTORY}")
    return None


@function(
    f"FORECAST(history ARRAY<DOUBLE>, horizon INTEGER, season INTEGER) -> {_RESULT}",
    batch_limit=500,
    timeout=30.0,
    example="SELECT K, FORECAST(HISTORY, 24, 24) AS TOMORROW FROM SERIES EMIT CHANGES;",
)
def forecast(histories: Sequence[Any], horizons: Sequence[int], seasons: Sequence[int]) -> list[Any]:
    """The next values, oldest history first; LO and HI hold as many percent of what may come as the level says,
    90 where it is left out. The season is the length of the series' rhythm (24 for hours of a day), 1 or left out
    when it has none. NULLs are filled in from their neighbours.
    """
    result: list[Any] = _at_level(histories, horizons, seasons, [LEVEL] * len(histories))
    return result


@forecast.overload(
    f"FORECAST(history ARRAY<DOUBLE>, horizon INTEGER, season INTEGER, level INTEGER) -> {_RESULT}"
)
def _at_level(
    histories: Sequence[Any], horizons: Sequence[int], seasons: Sequence[int], levels: Sequence[int]
) -> list[Any]:
    out: list[Any] = [None] * len(histories)
    groups: dict[tuple[int, int, int], list[int]] = {}
    for row, asked in enumerate(zip(histories, horizons, seasons, levels, strict=True)):
        out[row] = _refusal(*asked)
        if out[row] is None:
            groups.setdefault(asked[1:], []).append(row)
    for (horizon, season, level), rows in groups.items():
        found = forecast_many([histories[row] for row in rows], horizon, season, level)
        for row, band in zip(rows, found, strict=True):
            if isinstance(band, ValueError):
                out[row] = RowError(str(band))
            else:
                out[row] = [
                    {"STEP": i, "MEAN": m, "LO": lo, "HI": hi} for i, (m, lo, hi) in enumerate(band, 1)
                ]
    return out


@forecast.overload(f"FORECAST(history ARRAY<DOUBLE>, horizon INTEGER) -> {_RESULT}")
def _without_season(histories: Sequence[Any], horizons: Sequence[int]) -> list[Any]:
    result: list[Any] = forecast(histories, horizons, [1] * len(histories))
    return result
