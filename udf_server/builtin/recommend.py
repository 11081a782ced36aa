"""RECOMMEND: what a user may want next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from udf_server.function import RowError, function
from udf_server.models.loaded import LoadedModel

if TYPE_CHECKING:
    from udf_server.recommend.factors import FactorModel


@function(
    "RECOMMEND(user VARCHAR, k INTEGER) -> ARRAY<STRUCT<ITEM VARCHAR, SCORE DOUBLE>>",
    model="recommend",
    batch_limit=2000,
    timeout=30.0,
    example="SELECT CUSTOMER, RECOMMEND(CUSTOMER, 5) AS NEXT FROM VISITS EMIT CHANGES;",
)
def recommend(model: LoadedModel, users: Sequence[str], counts: Sequence[int]) -> list[Any]:
    """The k items that suit a user best, of those the user did not have, best first, from the live `recommend` model:
    implicit factorization of who had what (`ksqlkit train recommend --from FILE --user COL --item COL`). A user never
    seen gets the most popular ones."""
    from udf_server.recommend.factors import MOST_ITEMS

    if model.metadata.kind != "factors":
        raise RowError(
            f"model {model.metadata.name} is of kind {model.metadata.kind}, not factors", "UNAVAILABLE"
        )
    factors = cast("FactorModel", model)
    return [
        [{"ITEM": item, "SCORE": score} for item, score in factors.recommend(user, count)]
        if 1 <= count <= MOST_ITEMS
        else RowError(f"k must be from 1 to {MOST_ITEMS}, not {count}")
        for user, count in zip(users, counts, strict=True)
    ]
