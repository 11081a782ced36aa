"""ksqlkit forecast: batch forecasts into tables."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ksqlkit.cli.forecast_output import (
    explain_rows,
    print_outcome,
    print_summary,
    say_failed,
    status_row,
    summary,
    written,
)
from ksqlkit.cli.options import (
    JsonOption,
    ProjectOption,
    ServerOption,
    TargetOption,
    open_client,
    open_config,
)
from ksqlkit.cli.output import guarded, messages, print_json, print_table, progress
from ksqlkit.errors import KsqlkitError, ProjectError, UserError

if TYPE_CHECKING:
    from forecasts.job import Outcome
    from forecasts.spec import Spec
    from forecasts.store import Store
    from ksqlkit.client.protocol import Client

forecast = typer.Typer(help="Batch forecasts that land in materialized tables.", no_args_is_help=True)

NameArgument = Annotated[str | None, typer.Argument(help="A forecast of forecasts/; all of them by default.")]
OneArgument = Annotated[str, typer.Argument(help="A forecast of forecasts/.")]
SeriesOption = Annotated[
    list[str] | None,
    typer.Option("--series", help="Only this series (its columns, joined by a space). May be repeated."),
]
StateOption = Annotated[
    Path | None,
    typer.Option("--state", help="Folder of leases and fits; schedulers share it.", envvar="KSQLKIT_STATE"),
]


@forecast.command()
@guarded
def refresh(
    name: NameArgument = None,
    due: Annotated[bool, typer.Option("--due", help="Only what is due, each scheduled time once.")] = False,
    series: SeriesOption = None,
    refit: Annotated[bool, typer.Option("--refit", help="Fit anew, whatever is kept.")] = False,
    state: StateOption = None,
    project: ProjectOption = None,
    target: TargetOption = None,
    server: ServerOption = None,
    json: JsonOption = False,
) -> None:
    """Read each source by pull query, backtest, forecast, and write the target table.

    Series that cannot be forecast get a row with a status; the others go on. With kept fits, models are only shown what
    is new. Exit code 1 (a server's fault: 3) if a forecast failed. Ctrl-C keeps what is done.

    Example: ksqlkit forecast refresh departures
    """
    from forecasts.scheduler import run_all, run_due

    done: dict[str, Outcome] = {}
    codes: list[int] = []
    stopped = False
    with _opened(name, project, target, server, state) as (client, specs, store), progress() as bar:
        tasks: dict[str, Any] = {}

        def show(spec: Spec, model: str, share: float) -> None:
            if spec.name not in tasks:
                tasks[spec.name] = bar.add_task(spec.name, total=100)
            bar.update(tasks[spec.name], completed=int(100 * share), description=f"{spec.name}: {model}")

        def report(spec: Spec, outcome: Outcome | KsqlkitError | None) -> None:
            if isinstance(outcome, KsqlkitError):
                say_failed(spec, outcome)
                codes.append(outcome.exit_code)
            elif outcome is None:
                messages.print(f"{spec.name}: another scheduler has it", markup=False)
            else:
                done[spec.name] = outcome
            if spec.name in tasks:
                bar.update(tasks[spec.name], completed=100, description=spec.name)

        try:
            if due:
                run_due(client, specs.values(), store, _now, _holder(), report, on_model=show)
            else:
                run_all(
                    client,
                    specs.values(),
                    store,
                    _now,
                    _holder(),
                    report,
                    series=tuple(series or ()),
                    refit=refit,
                    on_model=show,
                )
        except KeyboardInterrupt:
            stopped = True
    if json:
        print_json({n: [summary(r) for r in outcome.results] for n, outcome in done.items()})
    else:
        for spec_name, outcome in done.items():
            print_outcome(specs[spec_name], outcome)
        if due and not done and not codes and not stopped:
            messages.print("nothing is due")
    if stopped:
        messages.print(
            "stopped; what is written stays, and the next refresh goes on from the fits made", soft_wrap=True
        )
        raise typer.Exit(130)
    if codes:
        raise typer.Exit(max(codes))


@forecast.command()
@guarded
def backtest(
    name: OneArgument,
    project: ProjectOption = None,
    target: TargetOption = None,
    server: ServerOption = None,
    json: JsonOption = False,
) -> None:
    """Each model's error by rolling origin, and what would be combined; nothing is written.

    Example: ksqlkit forecast backtest departures
    """
    from forecasts.fitting import Fit
    from forecasts.refresh import forecast_panel, read_panel

    with _opened(name, project, target, server, None) as (client, specs, _):
        spec = specs[name]
        panel, failed = read_panel(client, spec, now=_now())
        fits: list[Fit] = []
        with progress() as bar:
            task = bar.add_task(name, total=100)

            def show(model: str, share: float) -> None:
                bar.update(task, completed=int(100 * share), description=f"{name}: {model}")

            results = forecast_panel(panel, spec, on_model=show, on_fit=fits.append)
    rows = explain_rows(fits)
    if json:
        print_json({"models": rows, "series": [summary(r) for r in results + failed]})
        return
    print_summary(name, results + failed)
    _print_rows(f"Models of {name}", rows)
    for fit in fits:
        shares = ", ".join(f"{level} %: {share:.1f} %" for level, share in fit.covered.items())
        messages.print(f"intervals over the folds hold {shares}")


@forecast.command()
@guarded
def explain(
    name: OneArgument, state: StateOption = None, project: ProjectOption = None, json: JsonOption = False
) -> None:
    """Why a series has its model: the errors over the folds of the last fit, and the weights.

    Example: ksqlkit forecast explain departures
    """
    from forecasts.store import Store

    spec = _pick(name, open_config(project))[name]
    store = Store(_state(state))
    try:
        kept = store.load_fits(spec)
    finally:
        store.close()
    if not kept:
        raise UserError(f"{name} has no fit that is kept", hint=f"Run `ksqlkit forecast refresh {name}`.")
    rows = explain_rows(kept)
    if json:
        print_json(rows)
    else:
        _print_rows(f"Models of {name}", rows)


@forecast.command()
@guarded
def status(
    name: NameArgument = None,
    state: StateOption = None,
    project: ProjectOption = None,
    target: TargetOption = None,
    server: ServerOption = None,
    json: JsonOption = False,
) -> None:
    """Each forecast's current run: when, how many series failed, how wrong it was since, and whether it is due.

    Example: ksqlkit forecast status
    """
    with _opened(name, project, target, server, state) as (client, specs, store):
        rows = [status_row(client, spec, store, _now()) for spec in specs.values()]
    if json:
        print_json(rows)
    else:
        _print_rows("Forecasts", rows)


@forecast.command()
@guarded
def plot(
    name: OneArgument,
    output: Annotated[Path | None, typer.Option("--output", "-o", help=".html, .svg or .png.")] = None,
    series: SeriesOption = None,
    project: ProjectOption = None,
    target: TargetOption = None,
    server: ServerOption = None,
) -> None:
    """Draw history, forecast and intervals, and what came since.

    Example: ksqlkit forecast plot departures -o departures.html
    """
    from forecasts.plot import make_pictures, write
    from forecasts.publish import current_rows
    from forecasts.refresh import read_panel
    from forecasts.tables import series_columns

    path = output or Path(f"{name}.html")
    with _opened(name, project, target, server, None) as (client, specs, _):
        spec = specs[name]
        rows = current_rows(client, spec)
        columns = series_columns(spec)
        if series:
            rows = [r for r in rows if " ".join(str(r[c]) for c in columns) in series]
        pictures = make_pictures(rows, read_panel(client, spec, now=_now())[0], spec)
    if not pictures:
        raise UserError(f"{name} has no forecast to draw", hint=f"Run `ksqlkit forecast refresh {name}`.")
    write(path, name, pictures)
    messages.print(f"{path}: {len(pictures)} series")


@forecast.command()
@guarded
def schedule(
    name: NameArgument = None,
    every: Annotated[float, typer.Option("--every", help="Seconds between looks.", min=0.1)] = 30.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    state: StateOption = None,
    project: ProjectOption = None,
    target: TargetOption = None,
    server: ServerOption = None,
) -> None:
    """Keep forecasts fresh: run what is due, for ever. Several may run with one state folder; each run is done once.

    Example: ksqlkit forecast schedule --every 60
    """
    import time

    from forecasts.scheduler import run_due

    def report(spec: Spec, outcome: Outcome | KsqlkitError | None) -> None:
        if isinstance(outcome, KsqlkitError):
            say_failed(spec, outcome)
        elif outcome is not None:
            messages.print(f"{spec.name}: {written(spec, outcome)}", markup=False)

    with _opened(name, project, target, server, state) as (client, specs, store):
        while True:
            failed = run_due(client, specs.values(), store, _now, _holder(), report)
            if once:
                raise typer.Exit(1 if failed else 0)
            time.sleep(every)


def _print_rows(title: str, rows: list[dict[str, Any]]) -> None:
    columns = list(rows[0]) if rows else ["nothing"]
    print_table(title, columns, [list(row.values()) for row in rows])


@contextmanager
def _opened(
    name: str | None, project: Path | None, target: str | None, server: str | None, state: Path | None
) -> Iterator[tuple[Client, dict[str, Spec], Store]]:
    from forecasts.store import Store

    config = open_config(project)
    specs = _pick(name, config)
    client, _ = open_client(config, target, server)
    try:
        store = Store(_state(state))
        try:
            yield client, specs, store
        finally:
            store.close()
    finally:
        client.close()


def _state(folder: Path | None) -> Path:
    return folder or Path.cwd() / ".ksqlkit" / "forecasts"


def _now() -> int:
    from ksqlkit.engine.clock import SystemClock

    return SystemClock().now()


def _holder() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


def _pick(name: str | None, config: Any) -> dict[str, Spec]:
    from forecasts.spec import load_specs

    specs = load_specs(config.forecasts)
    if name is None:
        return specs
    if name not in specs:
        known = ", ".join(specs) or "none"
        raise ProjectError(f"There is no forecast {name!r}", hint=f"{config.forecasts} has {known}.")
    return {name: specs[name]}
