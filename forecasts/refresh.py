"""One refresh: read the source by pull query, backtest, forecast, and hand over rows ready to be published."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from forecasts.backtest import FLOOR, Backtest, fit_chosen, run_backtest
from forecasts.intervals import make_bands
from forecasts.series import Panel, build_panel
from forecasts.spec import Spec
from ksqlkit.client.protocol import Client
from ksqlkit.errors import DataError

if TYPE_CHECKING:
    from forecasts.series import Matrix

_PLAIN = re.compile(r"[A-Z_][A-Z0-9_]*")
OK, TOO_SHORT, NO_VALUES = "OK", "TOO_SHORT", "NO_VALUES"


@dataclass(frozen=True, slots=True)
class SeriesForecast:
    """One series' outcome. `mean` is [step]; `bounds` level -> (low, high) each [step]; `start` the time of step 1.

    With a status other than OK there is no forecast, and `reason` says why. Errors are mean absolute errors over the
    backtest's folds, in the value's unit; `naive_error` is seasonal naive's.
    """

    series: tuple[Any, ...]
    status: str
    reason: str = ""
    start: int = 0
    step: int = 0
    model: str | None = None
    error: float | None = None
    naive_error: float | None = None
    mean: tuple[float, ...] = ()
    bounds: dict[int, tuple[tuple[float, ...], tuple[float, ...]]] = field(default_factory=dict)


def read_rows(client: Client, spec: Spec) -> list[tuple[tuple[Any, ...], int, float | None]]:
    """(series, time, value) rows of the source by one pull query. Raises what the client raises."""
    columns = ", ".join(quote(c) for c in (*spec.series, spec.time, spec.value))
    sql = f"SELECT {columns} FROM {quote(spec.source)}" + (f" WHERE {spec.where}" if spec.where else "")
    k = len(spec.series)
    return [(tuple(row[:k]), _millis(row[k]), row[k + 1]) for row in client.query(sql + ";").rows]


def quote(name: str) -> str:
    """A name for SQL: as it is where that is plain, else in back-quotes."""
    return name if _PLAIN.fullmatch(name.upper()) else f"`{name}`"


def forecast_panel(
    panel: Panel, spec: Spec, *, on_model: Callable[[str], None] | None = None
) -> list[SeriesForecast]:
    """Forecast every series of a panel that is long enough; the others come back with the reason."""
    import numpy as np

    short = [i for i, n in enumerate(panel.lengths) if n < max(spec.minimum, 3)]
    empty = [i for i in range(len(panel.ids)) if not np.isfinite(panel.values[i]).any()]
    results = {i: _without(panel, i, spec) for i in short}
    results |= {i: SeriesForecast(panel.ids[i], NO_VALUES, "all values are missing") for i in empty}
    good = [i for i in range(len(panel.ids)) if i not in results]
    # A backtest has as many folds as its shortest series allows: series of like length go together.
    for rows in _by_length(panel, good, spec):
        part = panel.select(rows).tail(spec.window)
        results |= dict(zip(rows, _forecast(part, spec, on_model), strict=True))
    return [results[i] for i in range(len(panel.ids))]


def refresh(
    client: Client, spec: Spec, *, on_model: Callable[[str], None] | None = None
) -> list[SeriesForecast]:
    """Read the source and forecast it. Raises DataError where the source has no rows."""
    try:
        panel = build_panel(read_rows(client, spec), step=spec.step, gaps=spec.gaps)
    except DataError as exc:
        raise DataError(f"Forecast {spec.name}: {exc.message}", hint=exc.hint) from None
    return forecast_panel(panel, spec, on_model=on_model)


def _by_length(panel: Panel, rows: list[int], spec: Spec) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    full = (spec.folds + 1) * spec.horizon + 2 * max(spec.seasons)
    for i in rows:
        length = min(panel.lengths[i], spec.window)
        groups.setdefault(full if length >= full else length.bit_length(), []).append(i)
    return list(groups.values())


def _without(panel: Panel, row: int, spec: Spec) -> SeriesForecast:
    reason = f"{panel.lengths[row]} steps, {max(spec.minimum, 3)} are needed"
    return SeriesForecast(panel.ids[row], TOO_SHORT, reason, panel.ends[row] + panel.step, panel.step)


def _forecast(panel: Panel, spec: Spec, on_model: Callable[[str], None] | None) -> list[SeriesForecast]:
    seasons = tuple(s for s in spec.seasons if 2 * s < min(panel.lengths)) or (1,)
    horizon = spec.horizon
    backtest_horizon = max(1, min(horizon, min(panel.lengths) // 3))
    test = run_backtest(
        panel,
        horizon=backtest_horizon,
        seasons=seasons,
        models=spec.models,
        folds=spec.folds,
        on_model=on_model,
    )
    mean = fit_chosen(panel, test, horizon=horizon, seasons=seasons)(panel)
    bands = make_bands(panel.values, test.combined(), test.actuals, spec.levels).around(mean)
    return [_result(panel, row, test, mean, bands) for row in range(len(panel.ids))]


def _result(
    panel: Panel, row: int, test: Backtest, mean: Matrix, bands: dict[int, tuple[Matrix, Matrix]]
) -> SeriesForecast:
    return SeriesForecast(
        series=panel.ids[row],
        status=OK,
        start=panel.ends[row] + panel.step,
        step=panel.step,
        model=test.name_of(row),
        error=float(test.combined_errors[row]),
        naive_error=float(test.error_of(FLOOR)[row]),
        mean=tuple(map(float, mean[row])),
        bounds={
            level: (tuple(map(float, low[row])), tuple(map(float, high[row])))
            for level, (low, high) in bands.items()
        },
    )


def _millis(value: Any) -> int:
    if isinstance(value, int):
        return value
    import datetime as dt

    return int(dt.datetime.fromisoformat(str(value)).replace(tzinfo=dt.UTC).timestamp() * 1000)
