"""FRAUD_SCORE: the calibrated probability that a transaction is fraud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from udf_server.function import function
from udf_server.models.loaded import LoadedModel
from udf_server.rows import attributions_of, checked_matrix, matrix_of

if TYPE_CHECKING:
    from udf_server.models.loaded import Floats


def _attributions(model: LoadedModel, *columns: Sequence[Any]) -> list[dict[str, float]]:
    return attributions_of(model, columns)


@function(
    "FRAUD_SCORE(features DOUBLE...) -> DOUBLE",
    model="fraud",
    nulls="call",
    timeout=30.0,
    attributions=_attributions,
    example="SELECT ID, FRAUD_SCORE(AMOUNT, CUSTOMER_COUNT_1H) AS SCORE FROM FEATURES EMIT CHANGES;",
)
def fraud_score(model: LoadedModel, *features: Sequence[float | None]) -> Floats:
    """Calibrated probability of fraud from the live `fraud` model (`ksqlkit train fraud --from FILE --label COL`); its
    features in the model's order, or a STRUCT or MAP by name. A NULL feature counts as missing."""
    return model.predict(matrix_of(model, features))


@fraud_score.matrix
def _of_matrix(model: LoadedModel, matrix: Floats) -> Floats:
    return model.predict(checked_matrix(model, matrix))


@fraud_score.overload("FRAUD_SCORE(features MAP<VARCHAR, DOUBLE>) -> DOUBLE")
def _by_name(model: LoadedModel, features: Sequence[Mapping[str, float | None] | None]) -> Floats:
    return model.predict(matrix_of(model, [[row or {} for row in features]]))


@fraud_score.overload("FRAUD_SCORE(features STRUCT< >) -> DOUBLE")
def _by_field(model: LoadedModel, features: Sequence[Mapping[str, Any] | None]) -> Floats:
    return model.predict(matrix_of(model, [[row or {} for row in features]]))
