"""Forecasts as tables for people and JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ksqlkit.cli.output import messages, print_table

if TYPE_CHECKING:
    from forecasts.fitting import Fit
    from forecasts.job import Outcome
    from forecasts.refresh import SeriesForecast
    from forecasts.spec import Spec
    from forecasts.store import Store
    from ksqlkit.client.protocol import Client
    from ksqlkit.errors import KsqlkitError


def print_outcome(spec: Spec, outcome: Outcome) -> None:
    """A refresh's series, and what was written."""
    print_summary(spec.name, outcome.results)
    messages.print(written(spec, outcome), markup=False, soft_wrap=True)


def say_failed(spec: Spec, error: KsqlkitError) -> None:
    """Why a forecast failed, with its name."""
    name = "" if error.message.startswith(f"Forecast {spec.name}") else f"Forecast {spec.name}: "
    messages.print(name + error.render(), markup=False, style="red", soft_wrap=True)


def written(spec: Spec, outcome: Outcome) -> str:
    """What a refresh wrote, in a line."""
    made = [r for r in outcome.results if r.mean]
    steps = sum(len(r.mean) for r in made)
    without = len(outcome.results) - len(made)
    parts = [f"{steps:,} steps of {len(made):,} series in {spec.target}"]
    if without:
        parts.append(f"{without:,} series without a forecast, whose rows say why")
    if made:
        how = "models were shown what is new" if outcome.updated else "models were fitted"
        parts.append(how + (", for the run before had left its band" if outcome.drifted else ""))
    return "; ".join(parts)


def print_summary(name: str, results: list[SeriesForecast]) -> None:
    """Each series' model and error beside seasonal naive's."""
    columns = ["series", "status", "model", "error (MAE)", "seasonal naive", "ratio"]
    rows = []
    for r in results:
        ratio = r.error / r.naive_error if r.error is not None and r.naive_error else None
        rows.append(
            [" ".join(map(str, r.series)), r.reason or r.status, r.model, r.error, r.naive_error, ratio]
        )
    print_table(f"Forecast {name}", columns, rows)


def summary(result: SeriesForecast) -> dict[str, Any]:
    """A series' outcome without its steps."""
    return {
        "series": result.series,
        "status": result.status,
        "reason": result.reason,
        "model": result.model,
        "error": result.error,
        "naive_error": result.naive_error,
        "steps": len(result.mean),
    }


def explain_rows(fits: Iterable[Fit]) -> list[dict[str, Any]]:
    """One row a series: each model's error over the folds with its weight in percent, and the combination's."""
    rows = []
    for fit in fits:
        for i, series in enumerate(fit.ids):
            row: dict[str, Any] = {"series": " ".join(map(str, series))}
            for m, model in enumerate(fit.models):
                row[model] = f"{fit.model_errors[m, i]:.4g} ({100 * fit.weights[m, i]:.0f} %)"
            rows.append({**row, "error": float(fit.errors[i])})
    return rows


def status_row(client: Client, spec: Spec, store: Store, now: int) -> dict[str, Any]:
    """A forecast's current run, its accuracy by what has come until now, and whether it is due."""
    from forecasts.job import look
    from ksqlkit.errors import UserError

    row: dict[str, Any] = {"forecast": spec.name, "schedule": spec.schedule or "when stale"}
    run, scores = None, []
    try:
        found = look(client, spec, store, now)
        run, scores, due = found.run, found.scores, "no" if found.due is None else "yes"
    except UserError as exc:
        due = exc.message
    return {
        **row,
        "published": run["PUBLISHED_AT"] if run else None,
        "series": run["SERIES"] if run else None,
        "failed": run["FAILED"] if run else None,
        "steps seen": sum(s.steps for s in scores),
        "error": sum(s.error for s in scores) / len(scores) if scores else None,
        "backtest": sum(s.backtest_error or 0.0 for s in scores) / len(scores) if scores else None,
        "due": due,
    }
