"""One job: what has to be refreshed, and a refresh from source to tables, under a lease."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from forecasts.cron import STALE, parse_cron
from forecasts.fitting import Fit
from forecasts.intervals import track
from forecasts.publish import check_source, create_tables, current_rows, millis, publish, read_status
from forecasts.refresh import SeriesForecast, forecast_panel, make_results, read_panel
from forecasts.scoring import coverage_of, has_drifted, publish_scores, score_rows
from forecasts.series import Panel
from forecasts.spec import Spec, parse_frequency
from forecasts.store import Lease, Store
from ksqlkit.client.protocol import Client
from ksqlkit.errors import StatementError

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A refresh: `results` by series, `rows` written, and whether models were only shown what is new."""

    results: list[SeriesForecast]
    rows: int
    updated: bool
    drifted: bool


def run_job(
    client: Client,
    spec: Spec,
    store: Store,
    clock: Clock,
    lease: Lease,
    *,
    series: tuple[str, ...] = (),
    refit: bool = False,
    on_model: Callable[[str], None] | None = None,
) -> Outcome:
    """Refresh: score the run before, forecast, publish. `series` limits it to those whose columns, joined by a space,
    are named. Raises what client and store raise; nothing is published then."""
    check_source(client, spec)
    create_tables(client, spec)
    panel, failed = read_panel(client, spec, now=clock())
    before = current_rows(client, spec)
    scores = score_rows(before, panel, spec)
    publish_scores(client, spec, scores, now=clock())
    drifted = has_drifted(scores, spec)
    covered, steps = coverage_of(scores)
    whole = spec.horizon * len({s.series for s in scores})
    stretch = (
        track(store.load_stretch(spec.name), covered, steps / whole)
        if steps
        else store.load_stretch(spec.name)
    )
    if series:
        panel = panel.select([i for i, key in enumerate(panel.ids) if " ".join(map(str, key)) in series])
    kept = None if refit or drifted or series else store.load_fits(spec)
    now = clock()
    results = _update(panel, spec, kept, now, stretch) if kept else None
    updated = results is not None
    if results is None:
        fits: list[Fit] = []

        def show(model: str) -> None:
            store.renew(lease, clock())
            if on_model:
                on_model(model)

        results = [
            replace(r, trained_at=now)
            for r in forecast_panel(panel, spec, on_model=show, on_fit=fits.append, stretch=stretch)
        ]
        if not series:
            store.save_fits(spec, fits, now)
    results += [f for f in failed if not series]
    store.renew(lease, clock())
    rows = publish(
        client,
        spec,
        results,
        now=clock(),
        run_id=f"{spec.name}-{clock()}-{lease.token}",
        others=bool(series),
        drifted=drifted,
    )
    store.save_stretch(spec.name, stretch)
    return Outcome(results, rows, updated, drifted)


def scheduled_time(client: Client, spec: Spec, store: Store, now: int) -> int | None:
    """The time for which a job is due, or None. A missed time counts once, the latest only; a job without a
    schedule is due when its source has gone on, any job when its accuracy has left its band."""
    if spec.schedule and spec.schedule != STALE:
        wanted = parse_cron(spec.schedule).last(now)
        last = store.last_run(spec.name)
        if wanted is not None and (last is None or last < wanted):
            return wanted
    try:
        status = read_status(client, spec)
    except StatementError:
        status = None
    if status is None:
        return now
    if spec.schedule and spec.schedule != STALE:
        panel, _ = read_panel(client, spec, now=now)
        return now if has_drifted(score_rows(current_rows(client, spec), panel, spec), spec) else None
    return now if _newest(client, spec, now) >= _first_step(client, spec) else None


def _newest(client: Client, spec: Spec, now: int) -> int:
    panel, _ = read_panel(client, spec, now=now)
    return max(panel.ends)


def _first_step(client: Client, spec: Spec) -> int:
    starts = [millis(row["FORECAST_TS"]) for row in current_rows(client, spec) if row["STEP"] == 1]
    return max(starts, default=0)


def _update(
    panel: Panel, spec: Spec, kept: tuple[int, list[Fit]], now: int, stretch: dict[int, float]
) -> list[SeriesForecast] | None:
    """Forecasts of kept fits, or None where they are too old, or the series are not those they were made for."""
    made_at, fits = kept
    place = {series: i for i, series in enumerate(panel.ids)}
    known = {series for fit in fits for series in fit.ids}
    long_enough = {s for s, n in zip(panel.ids, panel.lengths, strict=True) if n >= max(spec.minimum, 3)}
    if not 0 <= now - made_at < parse_frequency(spec.refit) or not long_enough <= known <= set(place):
        return None
    found: dict[int, SeriesForecast] = {}
    for fit in fits:
        rows = [place[s] for s in fit.ids]
        part = panel.select(rows).tail(spec.window)
        if any(end < old for end, old in zip(part.ends, fit.ends, strict=True)):
            return None
        results = make_results(fit, part, totals=spec.totals, stretch=stretch)
        made = (replace(r, trained_at=made_at) for r in results)
        found |= dict(zip(rows, made, strict=True))
    rest = [i for i in range(len(panel.ids)) if i not in found]
    if rest:
        found |= dict(zip(rest, forecast_panel(panel.select(rest), spec, stretch=stretch), strict=True))
    return [found[i] for i in range(len(panel.ids))]
