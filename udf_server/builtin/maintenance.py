"""FAILURE_RISK and REMAINING_LIFE: machines that may fail, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from udf_server.context import Context
from udf_server.function import function, too_long
from udf_server.maintenance.life import Row, score_life
from udf_server.models.loaded import LoadedModel
from udf_server.rows import attributions_of, checked_matrix, matrix_of

if TYPE_CHECKING:
    from udf_server.models.loaded import Floats


def _attributions(model: LoadedModel, *columns: Sequence[Any]) -> list[dict[str, float]]:
    return attributions_of(model, columns)


@function(
    "FAILURE_RISK(sensors DOUBLE...) -> DOUBLE",
    model="failure",
    nulls="call",
    timeout=30.0,
    attributions=_attributions,
    example="SELECT MACHINE, FAILURE_RISK(TEMPERATURE, SPEED, TORQUE, WEAR) AS RISK FROM READINGS EMIT CHANGES;",
)
def failure_risk(model: LoadedModel, *sensors: Sequence[float | None]) -> Floats:
    """Calibrated probability that a machine fails, from the live `failure` model (`ksqlkit train failure --from FILE
    --label COL`); the sensors in the model's order, or a STRUCT or MAP by name. A NULL sensor counts as missing."""
    return model.predict(matrix_of(model, sensors))


@failure_risk.matrix
def _of_matrix(model: LoadedModel, matrix: Floats) -> Floats:
    return model.predict(checked_matrix(model, matrix))


@failure_risk.overload("FAILURE_RISK(sensors MAP<VARCHAR, DOUBLE>) -> DOUBLE")
def _by_name(model: LoadedModel, sensors: Sequence[Mapping[str, Any] | None]) -> Floats:
    return model.predict(matrix_of(model, [[row or {} for row in sensors]]))


@failure_risk.overload("FAILURE_RISK(sensors STRUCT< >) -> DOUBLE")
def _by_field(model: LoadedModel, sensors: Sequence[Mapping[str, Any] | None]) -> Floats:
    return model.predict(matrix_of(model, [[row or {} for row in sensors]]))


def _rows(columns: Sequence[Sequence[Any]]) -> list[Row]:
    names, times, *sensors = columns
    return [(n, t, s) for n, t, s in zip(names, times, zip(*sensors, strict=True), strict=True)]


def _life(context: Context, model: LoadedModel, columns: Sequence[Sequence[Any]], explain: bool) -> list[Any]:
    out: list[Any] = [too_long("a series' name", name) for name in columns[0]]
    rows = [row for row, error in zip(_rows(columns), out, strict=True) if error is None]
    answers = iter(score_life(context.memory, model, rows, explain))
    return [next(answers) if error is None else error for error in out]


def _life_parts(context: Context, model: LoadedModel, *columns: Sequence[Any]) -> list[Any]:
    return _life(context, model, columns, explain=True)


@function(
    "REMAINING_LIFE(series VARCHAR, ts BIGINT, sensors DOUBLE...) -> DOUBLE",
    model="remaining-life",
    context=True,
    deterministic=False,
    batch_limit=5000,
    timeout=30.0,
    attributions=_life_parts,
    example="SELECT ENGINE, REMAINING_LIFE(ENGINE, CYCLE, T24, T50, P30) AS CYCLES FROM READINGS EMIT CHANGES;",
)
def remaining_life(context: Context, model: LoadedModel, *columns: Sequence[Any]) -> list[Any]:
    """How many more rows (cycles, hours: as it was trained) a machine has, from the live `remaining-life` model
    (`ksqlkit train remaining-life --from FILE --series COL`, of whole runs to failure in order of time); 125 also
    stands for all that is further away. It remembers each series: give every row once, in order of time; one that comes
    again is answered again. Sensors in the model's order. The DETAIL form's attributions say what each adds."""
    return _life(context, model, columns, explain=False)
