"""Who refreshes what, when: due jobs, each once, under a lease."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from forecasts.job import Clock, Outcome, run_job, scheduled_time
from forecasts.spec import Spec
from forecasts.store import Store
from ksqlkit.client.protocol import Client
from ksqlkit.errors import KsqlkitError

Report = Callable[[Spec, "Outcome | KsqlkitError | None"], None]


def run_due(
    client: Client,
    specs: Iterable[Spec],
    store: Store,
    clock: Clock,
    holder: str,
    report: Report,
    *,
    on_model: Callable[[Spec, str], None] | None = None,
) -> int:
    """Run each job that is due and that no other holder runs; returns how many failed. `report` gets an outcome, the
    error of a job that failed (the others go on), or None where another holder has it."""
    failed = 0
    for spec in specs:
        try:
            scheduled = scheduled_time(client, spec, store, clock())
            if scheduled is None:
                continue
            outcome = run_once(client, spec, store, clock, holder, scheduled, on_model=on_model)
        except KsqlkitError as error:
            failed += 1
            report(spec, error)
        else:
            report(spec, outcome)
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
    on_model: Callable[[Spec, str], None] | None = None,
) -> Outcome | None:
    """Run a job for a scheduled time; None where another holder has it or it is done. Raises what the job raises."""
    lease = store.acquire(spec.name, holder, clock())
    if lease is None:
        return None
    try:
        if not store.begin(lease, scheduled):
            return None

        def show(model: str) -> None:
            if on_model:
                on_model(spec, model)

        outcome = run_job(client, spec, store, clock, lease, series=series, refit=refit, on_model=show)
        store.finish(lease, scheduled, clock())
        return outcome
    finally:
        store.release(lease)
