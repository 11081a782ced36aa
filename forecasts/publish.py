"""Forecasts into tables: rows first, then the one record that makes the run the current one."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from forecasts.refresh import OK, SeriesForecast
from forecasts.spec import Spec
from forecasts.tables import (
    KEYS,
    PROPERTIES,
    named,
    quote,
    row_columns,
    series_columns,
    table_statements,
    text,
)
from ksqlkit.client.protocol import Client, TopicRecord
from ksqlkit.dialect import parse_type
from ksqlkit.errors import KsqlkitError, ProjectError, StatementError

__all__ = ["check_source", "create_tables", "make_rows", "publish", "table_statements"]

Row = dict[str, Any]
PSEUDO = ("WINDOWSTART", "WINDOWEND", "ROWTIME")  # columns that DESCRIBE does not list
PATIENCE = 10.0  # seconds that a server may take to show a run


def check_source(client: Client, spec: Spec) -> None:
    """Raise ProjectError if the source is gone, lacks a column, or a series column has another type."""
    try:
        types = _columns(client, spec.source)
    except StatementError as exc:
        raise ProjectError(
            f"Forecast {spec.name} reads {spec.source}: {exc.message}", hint="Apply the project first."
        ) from None
    given = () if spec.time.upper() in PSEUDO else (spec.time,)
    others = [(c, None) for c in (spec.value, *given, *spec.regressors, *spec.lagged)]
    for column, wanted in (*spec.keys, *others):
        found = types.get(column) or types.get(column.upper())
        if found is None:
            hint = f"It has {', '.join(types)}."
            raise ProjectError(f"Forecast {spec.name}: {spec.source} has no column {column}", hint=hint)
        if wanted and found != str(parse_type(wanted)):
            hint = f"Set types in forecasts/{spec.name}.toml."
            raise ProjectError(f"Forecast {spec.name}: {column} is {found}, not {wanted}", hint=hint)
    found = types.get(spec.value) or types[spec.value.upper()]
    if not found.startswith(("INT", "BIGINT", "DOUBLE", "DECIMAL")):
        raise ProjectError(f"Forecast {spec.name}: {spec.value} is {found}, and no number")


def create_tables(client: Client, spec: Spec) -> None:
    """Create what is not there yet. Raises ProjectError where a table is, with other columns."""
    for statement in table_statements(spec):
        client.execute(
            statement.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1), properties=PROPERTIES
        )
    wanted = {*series_columns(spec), *row_columns(spec)}
    for name in (named(spec, "ROWS"), spec.target):
        if name == spec.target:
            wanted -= {"FORECAST"}
        found = set(_columns(client, name))
        if found != wanted:
            change = ", ".join(sorted(wanted - found) + [f"no {c}" for c in sorted(found - wanted)])
            raise ProjectError(
                f"Forecast {spec.name}: {name} is a table with other columns; this forecast writes {change}",
                hint="`ksqlkit apply --replace` makes its tables anew; then refresh.",
            )


def _columns(client: Client, name: str) -> dict[str, str]:
    """A table's columns with their SQL types."""
    described = client.execute(f"DESCRIBE {quote(name)};")[0]["sourceDescription"]
    return {f["name"].strip("`"): f["schema"]["type"] for f in described["fields"]}


def make_rows(
    results: Iterable[SeriesForecast], spec: Spec, *, now: int, run_id: str, version: int = 1
) -> Iterator[Row]:
    """Rows of a run; a series without a forecast has one row that says why, at step 0. `now` is in milliseconds."""
    names = series_columns(spec)
    for result in results:
        common = {
            **dict(zip(names, result.series, strict=True)),
            "FORECAST": spec.name,
            "MODEL": result.model,
            "VERSION": version,
            "TRAINED_AT": timestamp(result.trained_at or now),
            "BACKTEST_ERROR": result.error,
            "NAIVE_ERROR": result.naive_error,
            "STATUS": result.status,
            "REASON": result.reason or None,
            "RUN_ID": run_id,
        }
        if not result.mean:
            yield {**common, "FORECAST_TS": timestamp(result.start), "STEP": 0}
        for i, mean in enumerate(result.mean):
            bounds: dict[str, float] = {}
            for level, (low, high) in result.bounds.items():
                bounds |= {f"LO_{level}": low[i], f"HI_{level}": high[i]}
            start = timestamp(result.start + i * result.step)
            yield {**common, "FORECAST_TS": start, "STEP": i + 1, "MEAN": mean, **bounds}


def publish(
    client: Client,
    spec: Spec,
    results: list[SeriesForecast],
    *,
    now: int,
    run_id: str,
    others: bool = False,
    drifted: bool = False,
    before_switch: Callable[[], object] = lambda: None,
) -> int:
    """Write a run's rows and make it the current one; returns how many. Readers see the run before until then, and none
    of it after. With `others`, series of that run that are not in `results` are carried over. `before_switch` is
    called last before the run becomes the current one and may raise. Raises what the client raises; the run before is
    then still the current one."""
    check_source(client, spec)
    create_tables(client, spec)
    before = current_rows(client, spec)
    version = 1 + max((row["VERSION"] or 0 for row in before), default=0)
    rows = list(make_rows(results, spec, now=now, run_id=run_id, version=version))
    names = series_columns(spec)
    if others:
        mine = {tuple(row[n] for n in names) for row in rows}
        kept = [row for row in before if tuple(row[n] for n in names) not in mine]
        rows += [{**row, "FORECAST": spec.name, "RUN_ID": run_id} for row in kept]
    count = client.insert(named(spec, "ROWS"), rows)
    run = {
        "FORECAST": spec.name,
        "CURRENT_RUN": run_id,
        "VERSION": version,
        "TRAINED_AT": timestamp(min((r.trained_at or now for r in results), default=now)),
        "PUBLISHED_AT": timestamp(now),
        "SERIES": len({tuple(row[n] for n in names) for row in rows}),
        "FAILED": sum(row["STATUS"] != OK for row in rows),
        "STEPS": sum(row["STATUS"] == OK for row in rows),
        "DRIFTED": drifted,
    }
    before_switch()
    client.insert(named(spec, "RUNS"), [run])
    _wait_for(client, spec, run_id)
    _forget(client, spec, [row for row in before if row["RUN_ID"] != run_id])
    return count


def current_rows(client: Client, spec: Spec) -> list[Row]:
    """Rows of the current run; none where there is no run."""
    return client.query(f"SELECT * FROM {quote(spec.target)};").dicts()


def read_status(client: Client, spec: Spec) -> Row | None:
    """The current run's row of the status table, or None. Raises StatementError where its table is not there."""
    sql = f"SELECT * FROM {quote(named(spec, 'STATUS'))} WHERE FORECAST = {text(spec.name)};"
    rows = client.query(sql).dicts()
    return rows[0] if rows else None


def _wait_for(client: Client, spec: Spec, run_id: str) -> None:
    """Until the server's status table has the run: who looks next must not take it for missing."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = read_status(client, spec)
        if found and found["CURRENT_RUN"] == run_id:
            return
        time.sleep(0.05)


def timestamp(millis: int) -> str:
    """Milliseconds as the text that ksqlDB takes for TIMESTAMP."""
    moment = dt.datetime.fromtimestamp(millis / 1000, dt.UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds")


def millis(text: str) -> int:
    """The reverse of `timestamp`."""
    return round(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp() * 1000)


def _forget(client: Client, spec: Spec, rows: list[Row]) -> None:
    """Tombstones for rows of earlier runs. They are invisible already; a ksqlDB without a REST proxy keeps them until
    the topic's retention."""
    names = [*series_columns(spec), *(c for c, _ in KEYS)]
    records = [
        TopicRecord(None, orjson.dumps({n: millis(row[n]) if n == "FORECAST_TS" else row[n] for n in names}))
        for row in rows
    ]
    try:
        if records:
            client.produce(spec.target.lower() + "_rows", records)
    except KsqlkitError:
        return
