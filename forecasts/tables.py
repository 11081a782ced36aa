"""The tables of a forecast, as statements.

Rows of all runs lie in one topic, keyed by series, time and run; one record says which run is the current one. The
target is their join, so that a run becomes visible by that one record, whole, and the run before it goes by the same.
It takes nothing but inserts, on a real ksqlDB and on the embedded engine alike.
"""

from __future__ import annotations

import re

from forecasts.spec import Spec
from ksqlkit.dialect import quote_name

_PLAIN = re.compile(r"[A-Z_][A-Z0-9_]*")
KEYS = (("FORECAST_TS", "TIMESTAMP"), ("RUN_ID", "STRING"))
_HEAD = (("STEP", "INTEGER"), ("MEAN", "DOUBLE"))
_TAIL = (
    ("MODEL", "STRING"),
    ("VERSION", "INTEGER"),
    ("TRAINED_AT", "TIMESTAMP"),
    ("BACKTEST_ERROR", "DOUBLE"),
    ("NAIVE_ERROR", "DOUBLE"),
    ("STATUS", "STRING"),
    ("REASON", "STRING"),
)
RUN_COLUMNS = (
    ("CURRENT_RUN", "STRING"),
    ("VERSION", "INTEGER"),
    ("TRAINED_AT", "TIMESTAMP"),
    ("PUBLISHED_AT", "TIMESTAMP"),
    ("SERIES", "INTEGER"),
    ("FAILED", "INTEGER"),
    ("STEPS", "INTEGER"),
    ("DRIFTED", "BOOLEAN"),
)
PROPERTIES = {"auto.offset.reset": "earliest"}


def quote(name: str) -> str:
    """A name of a spec for SQL: in back-quotes where it needs them."""
    return quote_name(column_name(name))


def text(value: str) -> str:
    """A text for SQL."""
    return "'" + value.replace("'", "''") + "'"


def column_name(name: str) -> str:
    """A name of a spec as rows have it: upper case, as ksqlDB reads it, unless only back-quotes can write it."""
    return name.upper() if _PLAIN.fullmatch(name.upper()) else name


def named(spec: Spec, suffix: str) -> str:
    """Name of a table beside the target, unquoted: "ROWS", "RUNS", "STATUS", "LATEST", "SCORES" or "ACCURACY"."""
    return f"{spec.target}_{suffix}"


def series_columns(spec: Spec) -> list[str]:
    """The series columns as the tables' rows name them."""
    return [column_name(c) for c in spec.series]


def bound_columns(spec: Spec) -> list[str]:
    """LO_80, HI_80 and so on."""
    return [f"{side}_{level}" for level in spec.levels for side in ("LO", "HI")]


def row_columns(spec: Spec) -> list[str]:
    """Columns of the table of rows, beside the series columns."""
    return [*(c for c, _ in (*KEYS, *_HEAD, *_TAIL)), *bound_columns(spec), "FORECAST"]


def table_statements(spec: Spec) -> list[str]:
    """CREATE statements, in order."""
    keys = [(quote(c), t) for c, t in spec.keys]
    bounds = [(c, "DOUBLE") for c in bound_columns(spec)]
    values = [*_HEAD, *bounds, *_TAIL]
    shown = ", ".join(f"R.{c} AS {c}" for c, _ in (*keys, *KEYS, *values))
    scores = [
        ("STEPS", "INTEGER"),
        ("ERROR", "DOUBLE"),
        ("BACKTEST_ERROR", "DOUBLE"),
        *((f"COVERED_{level}", "DOUBLE") for level in spec.levels),
        ("SCORED_AT", "TIMESTAMP"),
    ]
    target, topic = quote(spec.target), spec.target.lower()

    def name(suffix: str) -> str:
        return quote(named(spec, suffix))

    return [
        _source(name("ROWS"), topic + "_rows", [*keys, *KEYS], [("FORECAST", "STRING"), *values]),
        _source(name("RUNS"), topic + "_runs", [("FORECAST", "STRING")], list(RUN_COLUMNS)),
        _source(name("SCORES"), topic + "_scores", [*keys, ("RUN_ID", "STRING")], scores),
        f"CREATE TABLE {target} WITH (KAFKA_TOPIC='{topic}') AS SELECT {shown} FROM {name('ROWS')} R "
        f"JOIN {name('RUNS')} C ON R.FORECAST = C.FORECAST WHERE R.RUN_ID = C.CURRENT_RUN;",
        _copy(name("LATEST"), topic + "_latest", target, " WHERE STEP <= 1"),
        _copy(name("STATUS"), topic + "_status", name("RUNS")),
        _copy(name("ACCURACY"), topic + "_accuracy", name("SCORES")),
    ]


def _source(name: str, topic: str, keys: list[tuple[str, str]], values: list[tuple[str, str]]) -> str:
    columns = [*(f"{c} {t} PRIMARY KEY" for c, t in keys), *(f"{c} {t}" for c, t in values)]
    return (
        f"CREATE TABLE {name} ({', '.join(columns)}) WITH "
        f"(KAFKA_TOPIC='{topic}', KEY_FORMAT='JSON', VALUE_FORMAT='JSON', PARTITIONS=1);"
    )


def _copy(name: str, topic: str, source: str, where: str = "") -> str:
    return f"CREATE TABLE {name} WITH (KAFKA_TOPIC='{topic}') AS SELECT * FROM {source}{where};"
