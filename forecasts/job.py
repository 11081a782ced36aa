"""One job: what has to be refreshed, and a refresh from source to tables, under a lease."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from forecasts.cron import STALE, parse_cron
from forecasts.fitting import Fit
from forecasts.intervals import track
from forecasts.publish import Row, check_source, create_tables, current_rows, millis, publish, read_status
from forecasts.refresh import Progress, SeriesForecast, forecast_panel, make_results, read_panel, sort_out
from forecasts.scoring import Score, coverage_of, has_drifted, publish_scores, score_rows
from forecasts.series import Panel
from forecasts.spec import Spec, parse_frequency
from forecasts.store import Lease, Store
from ksqlkit.client.protocol import Client
from ksqlkit.errors import StatementError, UserError

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
    on_model: Progress | None = None,
) -> Outcome:
    """Refresh: score the run before, forecast, publish. `series` limits it to those whose columns, joined by a space,
    are named. Raises what client and store raise; nothing is published then. Fits that were made when it is
    interrupted are kept, and the next refresh goes on from them."""
    check_source(client, spec)
    create_tables(client, spec)
    panel, failed = read_panel(client, spec, now=clock())
    before = current_rows(client, spec)
    scores = score_rows(before, panel, spec)
    publish_scores(client, spec, scores, now=clock())
    drifted = has_drifted(scores, spec)
    stretch = _led_by(scores, spec, store.load_stretch(spec.name))
    if series:
        panel = panel.select([i for i, key in enumerate(panel.ids) if " ".join(map(str, key)) in series])
        if not panel.ids:
            raise UserError(
                f"{spec.source} has no series {', '.join(series)}", hint="Columns are joined by a space."
            )
    now = clock()
    kept = [] if refit or series else usable(store.load_fits(spec), panel, spec, now)
    if drifted:
        published = max((millis(row["TRAINED_AT"]) for row in before), default=now)
        kept = [fit for fit in kept if fit.made_at > published]
    results, fits = update(kept, panel, spec, stretch)
    rest = [i for i in range(len(panel.ids)) if i not in results]
    fitted = len(fits)

    def keep(fit: Fit) -> None:
        fit.made_at = now
        fits.append(fit)

    try:
        made = forecast_panel(panel.select(rest), spec, on_model=on_model, on_fit=keep, stretch=stretch)
    finally:
        if len(fits) > fitted and not series:
            store.save_fits(spec, fits)
    results |= {i: replace(r, trained_at=now) for i, r in zip(rest, made, strict=True)}
    found = [results[i] for i in range(len(panel.ids))] + [f for f in failed if not series]
    rows = publish(
        client,
        spec,
        found,
        now=clock(),
        # clocks jump back, and may name a time twice
        run_id=f"{spec.name}-{clock()}-{lease.token}-{secrets.token_hex(4)}",
        others=bool(series),
        drifted=drifted,
        before_switch=lambda: store.renew(lease, clock()),
    )
    store.save_stretch(spec.name, stretch)
    return Outcome(found, rows, len(fits) == fitted, drifted)


def _led_by(scores: list[Score], spec: Spec, stretch: dict[int, float]) -> dict[int, float]:
    """How far bands are stretched after what has come."""
    covered, steps = coverage_of(scores)
    if not steps:
        return stretch
    return track(stretch, covered, steps / (spec.horizon * len({s.series for s in scores})))


def usable(kept: list[Fit], panel: Panel, spec: Spec, now: int) -> list[Fit]:
    """Those fits that can be shown what is new: young enough, of series that are there and have not gone back. With
    totals it is all or none of them, as all has to add up."""
    place = dict(zip(panel.ids, panel.ends, strict=True))
    found = [
        fit
        for fit in kept
        if 0 <= now - fit.made_at < parse_frequency(spec.refit)
        and all(place.get(s, -1) >= end for s, end in zip(fit.ids, fit.ends, strict=True))
    ]
    whole = {s for fit in found for s in fit.ids} == {panel.ids[i] for i in sort_out(panel, spec)[0]}
    return found if whole or not spec.totals else []


def update(
    kept: list[Fit], panel: Panel, spec: Spec, stretch: dict[int, float]
) -> tuple[dict[int, SeriesForecast], list[Fit]]:
    """Forecasts of kept fits by row of the panel, with those that cannot be forecast; and the fits."""
    place = {series: i for i, series in enumerate(panel.ids)}
    _, found = sort_out(panel, spec)
    for fit in kept:
        rows = [place[s] for s in fit.ids]
        part = panel.select(rows).tail(spec.window)
        made = make_results(fit, part, totals=spec.totals, stretch=stretch)
        found |= {i: replace(r, trained_at=fit.made_at) for i, r in zip(rows, made, strict=True)}
    return found, list(kept)


def scheduled_time(client: Client, spec: Spec, store: Store, now: int) -> int | None:
    """The time for which a job is due, or None. A missed time counts once, the latest only; a job without a
    schedule is due when its source has gone on, any job when its accuracy has left its band."""
    return look(client, spec, store, now).due


@dataclass(frozen=True, slots=True)
class Look:
    """What a forecast's current run looks like by now: its row of the status table, when the next is `due`, and the
    scores of what has come."""

    run: Row | None
    due: int | None
    scores: list[Score]


def look(client: Client, spec: Spec, store: Store, now: int) -> Look:
    """Look at a forecast without touching anything. Raises what reading the source raises."""
    cron = parse_cron(spec.schedule) if spec.schedule and spec.schedule != STALE else None
    due = None
    if cron:
        wanted, last = cron.last(now), store.last_run(spec.name)
        due = wanted if wanted is not None and (last is None or last < wanted) else None
    try:
        run = read_status(client, spec)
    except StatementError:
        run = None
    if run is None:
        return Look(None, due or now, [])
    panel, _ = read_panel(client, spec, now=now)
    rows = current_rows(client, spec)
    scores = score_rows(rows, panel, spec)
    first = max((millis(row["FORECAST_TS"]) for row in rows if row["STEP"] == 1), default=0)
    if due is None and (has_drifted(scores, spec) or (cron is None and max(panel.ends) >= first)):
        due = now
    return Look(run, due, scores)
