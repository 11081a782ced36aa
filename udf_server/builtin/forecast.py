"""FORECAST: the next values of a series given as an array, with 90 % bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from udf_server.forecasting import forecast_series
from udf_server.function import RowError, function

_MAX_HORIZON: Final = 1000
_MAX_HISTORY: Final = 20_000
_RESULT: Final = "ARRAY<STRUCT<STEP INTEGER, MEAN DOUBLE, LO DOUBLE, HI DOUBLE>>"


def _answer(history: Sequence[float | None], horizon: int, season: int) -> list[dict[str, Any]] | RowError:
    if not 1 <= horizon <= _MAX_HORIZON:
        return RowError(f"horizon must be from 1 to {_MAX_HORIZON}, not {horizon}")
    if season < 1:
        return RowError(f"season must be 1 or more, not {season}")
    if len(history) > _MAX_HISTORY:
        return RowError(f"{len(history)} values of history; the limit is {_MAX_HISTORY}")
    try:
        bands = forecast_series(history, horizon, season)
    except ValueError as error:
        return RowError(str(error))
    return [{"STEP": i, "MEAN": m, "LO": lo, "HI": hi} for i, (m, lo, hi) in enumerate(bands, 1)]


@function(
    f"FORECAST(history ARRAY<DOUBLE>, horizon INTEGER) -> {_RESULT}",
    batch_limit=500,
    timeout=30.0,
    example="SELECT K, FORECAST(HISTORY, 12) AS NEXT FROM SERIES EMIT CHANGES;",
)
def forecast(histories: Sequence[Any], horizons: Sequence[int]) -> list[Any]:
    """The next values, oldest history first; LO and HI hold 90 % of what may come. NULLs in the history are
    filled in between neighbours. Give the season (24 for hours with a daily rhythm) when there is one."""
    return [_answer(h, n, 1) for h, n in zip(histories, horizons, strict=True)]


@forecast.overload(f"FORECAST(history ARRAY<DOUBLE>, horizon INTEGER, season INTEGER) -> {_RESULT}")
def _seasonal(histories: Sequence[Any], horizons: Sequence[int], seasons: Sequence[int]) -> list[Any]:
    return [_answer(h, n, s) for h, n, s in zip(histories, horizons, seasons, strict=True)]
