"""ksqlkit forecast: batch forecasts into tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ksqlkit.cli.options import (
    JsonOption,
    ProjectOption,
    ServerOption,
    TargetOption,
    open_client,
    open_config,
)
from ksqlkit.cli.output import guarded, messages, print_json, print_table, progress
from ksqlkit.errors import ProjectError

if TYPE_CHECKING:
    from forecasts.refresh import SeriesForecast
    from forecasts.spec import Spec

forecast = typer.Typer(help="Batch forecasts that land in materialized tables.", no_args_is_help=True)


@forecast.command()
@guarded
def refresh(
    name: Annotated[
        str | None, typer.Argument(help="A forecast of forecasts/; all of them by default.")
    ] = None,
    project: ProjectOption = None,
    target: TargetOption = None,
    server: ServerOption = None,
    json: JsonOption = False,
) -> None:
    """Read each source by pull query, backtest, forecast, and write the target table.

    Series that cannot be forecast get a row with a status; the others go on.

    Example: ksqlkit forecast refresh departures
    """
    from forecasts.publish import publish
    from forecasts.refresh import refresh as run
    from ksqlkit.engine.clock import SystemClock

    config = open_config(project)
    client, _ = open_client(config, target, server)
    reports: dict[str, list[SeriesForecast]] = {}
    try:
        for spec in _pick(name, config).values():
            with progress() as bar:
                task = bar.add_task(spec.name, total=len(spec.models) + 2)

                def show(model: str, spec: Spec = spec, task: Any = task, bar: Any = bar) -> None:
                    bar.update(task, advance=1, description=f"{spec.name}: {model}")

                reports[spec.name] = run(client, spec, on_model=show)
                now = SystemClock().now()
                publish(client, spec, reports[spec.name], now=now, run_id=f"{spec.name}-{now}")
                bar.update(task, completed=len(spec.models) + 2, description=spec.name)
    finally:
        client.close()
    if json:
        print_json({n: [_summary(r) for r in results] for n, results in reports.items()})
        return
    for spec_name, results in reports.items():
        print_summary(spec_name, results)
        messages.print(
            f"{sum(len(r.mean) for r in results)} rows in {_pick(spec_name, config)[spec_name].target}"
        )


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


def _summary(result: SeriesForecast) -> dict[str, Any]:
    return {
        "series": result.series,
        "status": result.status,
        "reason": result.reason,
        "model": result.model,
        "error": result.error,
        "naive_error": result.naive_error,
        "steps": len(result.mean),
    }


def _pick(name: str | None, config: Any) -> dict[str, Spec]:
    from forecasts.spec import load_specs

    specs = load_specs(config.forecasts)
    if name is None:
        return specs
    if name not in specs:
        known = ", ".join(specs) or "none"
        raise ProjectError(f"There is no forecast {name!r}", hint=f"{config.forecasts} has {known}.")
    return {name: specs[name]}
