"""FRAUD_SCORE: the calibrated probability that a transaction is fraud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from udf_server.function import RowError, function
from udf_server.models.loaded import LoadedModel, to_matrix

if TYPE_CHECKING:
    from udf_server.models.loaded import Floats


def _matrix(model: LoadedModel, columns: Sequence[Sequence[Any]]) -> Floats:
    """The model's features, from columns in its order or from one column of maps by feature name."""
    names = model.metadata.features
    if len(columns) == 1 and any(isinstance(v, Mapping) for v in columns[0]):
        rows = [{k.upper(): v for k, v in (row or {}).items()} for row in columns[0]]
        wanted = [n.upper() for n in names]
        for row in rows:
            if unknown := row.keys() - set(wanted):
                raise RowError(
                    f"model {model.metadata.name} has no feature {min(unknown)}; it has {', '.join(names)}"
                )
        return to_matrix([[row.get(name) for row in rows] for name in wanted])
    if len(columns) != len(names):
        shown = f"{len(names)} features ({', '.join(names)})"
        raise RowError(f"model {model.metadata.name} takes {shown}, not {len(columns)}")
    return to_matrix(columns)


def _attributions(model: LoadedModel, *columns: Sequence[Any]) -> list[dict[str, float]]:
    found = model.attributions(_matrix(model, columns)).tolist()
    return [dict(zip(model.metadata.features, row, strict=True)) for row in found]


@function(
    "FRAUD_SCORE(features DOUBLE...) -> DOUBLE",
    model="fraud",
    nulls="call",
    timeout=30.0,
    attributions=_attributions,
    example="SELECT ID, FRAUD_SCORE(AMOUNT, CUSTOMER_COUNT_1H) AS SCORE FROM FEATURES EMIT CHANGES;",
)
def fraud_score(model: LoadedModel, *features: Sequence[float | None]) -> Floats:
    """Calibrated probability of fraud from the live `fraud` model; its features in the model's order, or a
    map by name.

    A NULL feature counts as missing."""
    return model.predict(_matrix(model, features))


@fraud_score.overload("FRAUD_SCORE(features MAP<VARCHAR, DOUBLE>) -> DOUBLE")
def _by_name(model: LoadedModel, features: Sequence[Mapping[str, float | None] | None]) -> Floats:
    return model.predict(_matrix(model, [[row or {} for row in features]]))
