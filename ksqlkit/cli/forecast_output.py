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


def print_outcome(spec: Spec, outcome: Outcome) -> None:
    """A refresh's series, and what was written."""
    print_summary(spec.name, outcome.results)
    how = "models were shown what is new" if outcome.updated else "models were fitted"
    why = ", for the run before had left its band" if outcome.drifted else ""
    messages.print(f"{outcome.rows} rows in {spec.target}; {how}{why}")


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
    """A forecast's current run, its accuracy since, and whether it is due."""
    from forecasts.job import scheduled_time
    from forecasts.publish import read_status
    from forecasts.tables import named, quote
    from ksqlkit.errors import DataError, StatementError

    row: dict[str, Any] = {"forecast": spec.name, "schedule": spec.schedule or "when stale"}
    try:
        run = read_status(client, spec)
        scores = client.query(f"SELECT * FROM {quote(named(spec, 'ACCURACY'))};").dicts() if run else []
        due = scheduled_time(client, spec, store, now) is not None
    except (DataError, StatementError) as exc:
        return {**row, "published": None, "series": None, "failed": None, "steps seen": None, "error": None,
                "backtest": None, "due": str(exc)}  # fmt: skip
    mine = [s for s in scores if run and s["RUN_ID"] == run["CURRENT_RUN"]]
    return {
        **row,
        "published": run["PUBLISHED_AT"] if run else None,
        "series": run["SERIES"] if run else None,
        "failed": run["FAILED"] if run else None,
        "steps seen": sum(s["STEPS"] for s in mine),
        "error": sum(s["ERROR"] for s in mine) / len(mine) if mine else None,
        "backtest": sum(s["BACKTEST_ERROR"] or 0.0 for s in mine) / len(mine) if mine else None,
        "due": "yes" if due else "no",
    }
