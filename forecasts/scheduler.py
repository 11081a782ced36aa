"""Who refreshes what, when: due jobs, each once, under a lease."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from forecasts.job import Clock, Outcome, look, run_job
from forecasts.scoring import news, publish_scores
from forecasts.spec import Spec
from forecasts.store import Store
from ksqlkit.client.protocol import Client
from ksqlkit.errors import KsqlkitError

OnModel = Callable[[Spec, str, float], None]
Report = Callable[[Spec, "Outcome | KsqlkitError | None"], None]


def run_due(
    client: Client,
    specs: Iterable[Spec],
    store: Store,
    clock: Clock,
    holder: str,
    report: Report,
    *,
    on_model: OnModel | None = None,
) -> int:
    """Run each job that is due and that no other holder runs; returns how many failed. What has come since the last run
    of one that is not due is scored. `report` gets an outcome, the error of a job that failed (the others go on), or
    None where another holder has it."""

    def run(spec: Spec) -> None:
        found = look(client, spec, store, clock())
        if found.due is None:
            publish_scores(client, spec, news(client, spec, found.scores), now=clock())
        else:
            report(spec, run_once(client, spec, store, clock, holder, found.due, on_model=on_model))

    return _each(specs, run, report)


def run_all(
    client: Client,
    specs: Iterable[Spec],
    store: Store,
    clock: Clock,
    holder: str,
    report: Report,
    *,
    series: tuple[str, ...] = (),
    refit: bool = False,
    on_model: OnModel | None = None,
) -> int:
    """Run each job now, due or not; otherwise like `run_due`."""

    def run(spec: Spec) -> None:
        outcome = run_once(
            client, spec, store, clock, holder, clock(), series=series, refit=refit, on_model=on_model
        )
        report(spec, outcome)

    return _each(specs, run, report)


def _each(specs: Iterable[Spec], run: Callable[[Spec], None], report: Report) -> int:
    failed = 0
    for spec in specs:
        try:
            run(spec)
        except KsqlkitError as error:
            failed += 1
            report(spec, error)
    return failed


def run_once(
    client: Client,
    spec: Spec,
    store: Store,
    clock: Clock,
    holder: str,
    scheduled: int,
    *,
    series: tuple[str, ...] = (),
    refit: bool = False,
    on_model: OnModel | None = None,
) -> Outcome | None:
    """Run a job for a scheduled time; None where another holder has it or it is done. Raises what the job raises."""
    lease = store.acquire(spec.name, holder, clock())
    if lease is None:
        return None
    try:
        if not store.begin(lease, scheduled):
            return None

        def show(model: str, share: float) -> None:
            if on_model:
                on_model(spec, model, share)

        with store.held(lease, clock):
            outcome = run_job(client, spec, store, clock, lease, series=series, refit=refit, on_model=show)
        store.finish(lease, scheduled, clock())
        return outcome
    finally:
        store.release(lease)
