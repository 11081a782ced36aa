"""Forecasts into a table: a topic-backed table that rows are inserted into, and a materialized one that is queried."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from forecasts.refresh import SeriesForecast, quote
from forecasts.spec import Spec
from ksqlkit.client.protocol import Client
from ksqlkit.dialect import parse_type
from ksqlkit.errors import ProjectError, StatementError

_HEAD = ("FORECAST_TS TIMESTAMP PRIMARY KEY", "STEP INTEGER", "MEAN DOUBLE")
_TAIL = (
    "MODEL STRING",
    "VERSION INTEGER",
    "TRAINED_AT TIMESTAMP",
    "BACKTEST_ERROR DOUBLE",
    "NAIVE_ERROR DOUBLE",
    "STATUS STRING",
    "REASON STRING",
    "RUN_ID STRING",
)


def check_source(client: Client, spec: Spec) -> None:
    """Raise ProjectError if the source is gone, lacks a column, or a series column has another type."""
    try:
        described = client.execute(f"DESCRIBE {quote(spec.source)};")[0]["sourceDescription"]
    except StatementError as exc:
        raise ProjectError(
            f"Forecast {spec.name} reads {spec.source}: {exc.message}", hint="Apply the project first."
        ) from None
    types = {f["name"].strip("`"): f["schema"]["type"] for f in described["fields"]}
    for column, wanted in (*spec.keys, (spec.value, None)):
        found = types.get(column) or types.get(column.upper())
        if found is None:
            raise ProjectError(f"Forecast {spec.name}: {spec.source} has no column {column}")
        if wanted and found != str(parse_type(wanted)):
            hint = f"Set types in forecasts/{spec.name}.toml."
            raise ProjectError(f"Forecast {spec.name}: {column} is {found}, not {wanted}", hint=hint)


def table_statements(spec: Spec) -> list[str]:
    """The statements that make the target table and, before it, the one behind it."""
    keys = [f"{quote(column)} {type_} PRIMARY KEY" for column, type_ in spec.keys]
    bounds = [f"{side}_{level} DOUBLE" for level in spec.levels for side in ("LO", "HI")]
    columns = [*keys, *_HEAD, *bounds, *_TAIL]
    topic = spec.target.lower()
    return [
        f"CREATE TABLE {rows_table(spec)} ({', '.join(columns)}) WITH "
        f"(KAFKA_TOPIC='{topic}_rows', KEY_FORMAT='JSON', VALUE_FORMAT='JSON', PARTITIONS=1);",
        f"CREATE TABLE {quote(spec.target)} WITH (KAFKA_TOPIC='{topic}') AS SELECT * FROM {rows_table(spec)};",
    ]


def create_tables(client: Client, spec: Spec) -> None:
    """Create the target table and the one behind it, unless they are there."""
    for statement in table_statements(spec):
        client.execute(
            statement.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1),
            properties={"auto.offset.reset": "earliest"},
        )


def rows_table(spec: Spec) -> str:
    """Name of the table that rows are inserted into."""
    return quote(f"{spec.target}_ROWS")


def make_rows(
    results: list[SeriesForecast], spec: Spec, *, now: int, run_id: str, version: int = 1
) -> Iterator[dict[str, Any]]:
    """Rows of the target table; a series without a forecast has one row that says why. `now` is in milliseconds."""
    names = [c if c != c.lower() else c.upper() for c in spec.series]
    for result in results:
        common = {
            **dict(zip(names, result.series, strict=True)),
            "MODEL": result.model,
            "VERSION": version,
            "TRAINED_AT": timestamp(now),
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


def publish(client: Client, spec: Spec, results: list[SeriesForecast], *, now: int, run_id: str) -> int:
    """Write a run's rows; returns how many."""
    check_source(client, spec)
    create_tables(client, spec)
    return client.insert(rows_table(spec).strip("`"), make_rows(results, spec, now=now, run_id=run_id))


def timestamp(millis: int) -> str:
    """Milliseconds as the text that ksqlDB takes for TIMESTAMP."""
    moment = dt.datetime.fromtimestamp(millis / 1000, dt.UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds")
