"""ANOMALY_SCORE: how surprising a value is, given what its series showed before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from udf_server.anomaly.scoring import Row, explain_rows, score_rows
from udf_server.context import Context
from udf_server.function import function


def _rows(columns: Sequence[Sequence[Any]]) -> list[Row]:
    """Rows of (series, ts, value or values[, topic, partition, offset])."""
    return [
        (name, time, value if isinstance(value, list) else [value], tuple(place) if place else None)
        for name, time, value, *place in zip(*columns, strict=True)
    ]


def _warm() -> object:
    import numpy

    return numpy


def _made_of(context: Context, *columns: Sequence[Any]) -> list[dict[str, float] | None]:
    return explain_rows(context.memory, _rows(columns))


@function(
    "ANOMALY_SCORE(series VARCHAR, ts BIGINT, value DOUBLE) -> DOUBLE",
    context=True,
    deterministic=False,
    warm=_warm,
    batch_limit=5000,
    timeout=30.0,
    attributions=_made_of,
    example="SELECT SENSOR, ANOMALY_SCORE(SENSOR, ROWTIME, CELSIUS) AS SURPRISE FROM READINGS EMIT CHANGES;",
)
def anomaly_score(context: Context, *columns: Sequence[Any]) -> list[Any]:
    """From 0, as usual, to 1: how surprising a value is, given all that its series showed before; 0.5 is worth
    an alarm. It learns with each row, the daily (hourly, weekly) rhythm too, and starts to score after 50. An
    anomaly that lasts goes past 0.5 at its start, and again when it gets worse; till then it stays below 0.45.
    A row that comes again (same topic, partition and offset where given, else same series and time) is answered
    again and not learned twice. Times in milliseconds. The DETAIL form's attributions hold EXPECTED, LOW and
    HIGH, and how many decades of surprise each part adds: SEASON (against the same time of earlier periods),
    WEEKDAY (of the same weekdays), LEVEL, CHANGE, DRIFT (of the mean of five), UNREST (of the size of the last 48
    changes) and, of several values, TOGETHER."""
    return score_rows(context.memory, _rows(columns))


_SIGNATURES = (
    "ANOMALY_SCORE(series VARCHAR, ts TIMESTAMP, value DOUBLE) -> DOUBLE",
    "ANOMALY_SCORE(series VARCHAR, ts BIGINT, numbers ARRAY<DOUBLE>) -> DOUBLE",
    "ANOMALY_SCORE(series VARCHAR, ts TIMESTAMP, numbers ARRAY<DOUBLE>) -> DOUBLE",
    "ANOMALY_SCORE(series VARCHAR, ts BIGINT, value DOUBLE, topic VARCHAR, part INTEGER, row_offset BIGINT) -> DOUBLE",
    "ANOMALY_SCORE(series VARCHAR, ts BIGINT, numbers ARRAY<DOUBLE>, topic VARCHAR, part INTEGER, row_offset BIGINT)"
    " -> DOUBLE",
)
for _signature in _SIGNATURES:
    # One body, so that all forms share a lane and the order of arrival.
    anomaly_score.overload(_signature)(anomaly_score.overloads[0].body)
