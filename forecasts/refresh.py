"""One refresh: read the source by pull query, backtest, forecast, and hand over rows ready to be published."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from forecasts.fitting import Fit, fit_panel, group_by_length
from forecasts.hierarchy import add_totals, reconcile
from forecasts.regressors import with_regressors
from forecasts.series import Panel, build_panel, find_step
from forecasts.spec import Spec
from forecasts.tables import quote
from ksqlkit.client.protocol import Client
from ksqlkit.errors import DataError, ProjectError, StatementError

# told of each model that is begun, and the share of all that is done
Progress = Callable[[str, float], None]
# (series, time in milliseconds, value, regressors)
SourceRow = tuple[tuple[Any, ...], int, float | None, tuple[float | None, ...]]
OK, TOO_SHORT, NO_VALUES, BAD_TIMES = "OK", "TOO_SHORT", "NO_VALUES", "BAD_TIMES"


@dataclass(frozen=True, slots=True)
class SeriesForecast:
    """One series' outcome. `mean` is [step]; `bounds` level -> (low, high) each [step]; `start` the time of step 1.

    With a status other than OK there is no forecast, and `reason` says why. Errors are mean absolute errors over the
    backtest's folds, in the value's unit; `naive_error` is seasonal naive's. `trained_at` is when it was fitted
    (milliseconds), None for now.
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
    trained_at: int | None = None


def read_rows(client: Client, spec: Spec) -> list[SourceRow]:
    """(series, time, value, regressors) rows of the source by one pull query. Raises what the client raises."""
    extra = (*spec.regressors, *spec.lagged)
    columns = ", ".join(quote(c) for c in (*spec.series, spec.time, spec.value, *extra))
    sql = f"SELECT {columns} FROM {quote(spec.source)}" + (f" WHERE {spec.where}" if spec.where else "")
    k = len(spec.series)
    try:
        rows = client.query(sql + ";").rows
    except StatementError as exc:
        raise ProjectError(f"Forecast {spec.name} asks {sql}: {exc.message}") from None
    return [(tuple(row[:k]), _millis(row[k]), row[k + 1], tuple(row[k + 2 :])) for row in rows]


def forecast_panel(
    panel: Panel,
    spec: Spec,
    *,
    on_model: Progress | None = None,
    on_fit: Callable[[Fit], None] | None = None,
    stretch: Mapping[int, float] | None = None,
) -> list[SeriesForecast]:
    """Forecast every series of a panel that is long enough; the others come back with the reason. Bands are changed by
    `stretch` (see `intervals.track`)."""
    good, results = sort_out(panel, spec)
    # what has to add up is fitted together
    groups = [good] if spec.totals and good else group_by_length(panel, good, spec)
    done = 0
    for rows in groups:
        part = panel.select(rows)
        models = itertools.count()

        def show(model: str, done: int = done, size: int = len(rows), models: Iterator[int] = models) -> None:
            if on_model:
                on_model(model, (done + size * next(models) / (len(spec.models) + 1)) / len(good))

        fit = fit_panel(part, spec, on_model=show)
        done += len(rows)
        if on_fit:
            on_fit(fit)
        results |= dict(zip(rows, make_results(fit, part, totals=spec.totals, stretch=stretch), strict=True))
    return [results[i] for i in range(len(panel.ids))]


def sort_out(panel: Panel, spec: Spec) -> tuple[list[int], dict[int, SeriesForecast]]:
    """Rows of the series that can be forecast, and the outcome of those that cannot."""
    import numpy as np

    short = [i for i, n in enumerate(panel.lengths) if n < max(spec.minimum, 3)]
    empty = [i for i in range(len(panel.ids)) if not np.isfinite(panel.values[i]).any()]
    results = {i: _without(panel, i, spec) for i in short}
    results |= {i: SeriesForecast(panel.ids[i], NO_VALUES, "all values are missing") for i in empty}
    return [i for i in range(len(panel.ids)) if i not in results], results


def make_results(
    fit: Fit, panel: Panel, *, totals: bool = False, stretch: Mapping[int, float] | None = None
) -> list[SeriesForecast]:
    """Forecasts of a fit after a panel of its series; with `totals`, made to add up."""
    mean = fit.forecast(panel)
    if totals:
        mean = reconcile(panel.ids, mean, fit.covariance)
    bounds = fit.bands.stretched(stretch or {}).around(mean)
    return [
        SeriesForecast(
            series=panel.ids[row],
            status=OK,
            start=panel.ends[row] + panel.step,
            step=panel.step,
            model=fit.names[row],
            error=float(fit.errors[row]),
            naive_error=float(fit.naive_errors[row]),
            mean=tuple(map(float, mean[row])),
            bounds={
                level: (tuple(map(float, low[row])), tuple(map(float, high[row])))
                for level, (low, high) in bounds.items()
            },
        )
        for row in range(len(panel.ids))
    ]


def refresh(
    client: Client, spec: Spec, *, on_model: Callable[[str], None] | None = None
) -> list[SeriesForecast]:
    """Read the source and forecast it. Raises DataError where the source has no rows."""
    panel, failed = read_panel(client, spec)

    def show(model: str, _share: float) -> None:
        if on_model:
            on_model(model)

    return forecast_panel(panel, spec, on_model=show) + failed


def read_panel(client: Client, spec: Spec, *, now: int | None = None) -> tuple[Panel, list[SeriesForecast]]:
    """The source as a panel, and the series that cannot be one. Rows of steps that begin after `now` are left out: a
    clock somewhere is wrong. So are windows that are not over by then: what they hold will change. Raises DataError
    where the source has no rows."""
    rows = read_rows(client, spec)
    failed: dict[tuple[Any, ...], SeriesForecast] = {}
    points = rows
    if spec.regressors:
        # rows without a value after the last one with it tell regressors ahead
        last: dict[tuple[Any, ...], int] = {}
        for series, time, value, _ in rows:
            if value is not None and (now is None or time <= now):
                last[series] = max(time, last.get(series, time))
        points = [row for row in rows if row[2] is not None or row[1] <= last.get(row[0], row[1])]
    if now is not None:
        future = {row[0] for row in points if row[1] > now}
        points = [row for row in points if row[1] <= now]
        for series in future - {row[0] for row in points}:
            failed[series] = SeriesForecast(series, BAD_TIMES, "all time stamps are in the future", now)
    bad: dict[tuple[Any, ...], str] = {}
    try:
        if now is not None and spec.time.upper() == "WINDOWSTART" and points:
            step = spec.step or _step_of(points)
            begun = {row[0] for row in points}
            points = [row for row in points if row[1] + step <= now]
            for series in begun - {row[0] for row in points}:
                failed[series] = SeriesForecast(series, TOO_SHORT, "its first window is not over yet", now)
        _check_step(points, spec)
        panel = build_panel((row[:3] for row in points), step=spec.step, gaps=spec.gaps, bad=bad)
    except DataError as exc:
        raise DataError(f"Forecast {spec.name}: {exc.message}", hint=exc.hint) from None
    failed |= {series: SeriesForecast(series, BAD_TIMES, reason) for series, reason in bad.items()}
    if spec.totals:
        panel = add_totals(panel, spec.gaps)
    if spec.calendar or spec.regressors or spec.lagged:
        panel = with_regressors(panel, spec, ((row[0], row[1], row[3]) for row in rows))
    return panel, list(failed.values())


def _check_step(rows: list[SourceRow], spec: Spec) -> None:
    """Raise DataError where most rows would fall onto another's step."""
    if spec.step is None:
        return
    slots = {(series, time // spec.step) for series, time, *_ in rows}
    times = {(series, time) for series, time, *_ in rows}
    if 2 * len(slots) <= len(times):
        raise DataError(
            f"Most rows share a step of {spec.frequency} with another one",
            hint=f"Sum or average them in SQL, or set frequency to the distance of {spec.source}'s rows.",
        )


def _step_of(rows: list[SourceRow]) -> int:
    times: dict[tuple[Any, ...], set[int]] = {}
    for series, time, *_ in rows:
        times.setdefault(series, set()).add(time)
    return find_step(sorted(t) for t in times.values())


def _without(panel: Panel, row: int, spec: Spec) -> SeriesForecast:
    length = panel.lengths[row]
    reason = f"{length} step{'s' * (length != 1)}, {max(spec.minimum, 3)} are needed"
    return SeriesForecast(panel.ids[row], TOO_SHORT, reason, panel.ends[row] + panel.step, panel.step)


def _millis(value: Any) -> int:
    if isinstance(value, int):
        return value
    import datetime as dt

    return int(dt.datetime.fromisoformat(str(value)).replace(tzinfo=dt.UTC).timestamp() * 1000)
