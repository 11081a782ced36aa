"""EMBED: a text as a vector."""

from __future__ import annotations

from collections.abc import Sequence

from udf_server.function import function
from udf_server.text.embedding import load_embedding


def _warm() -> object:
    return load_embedding()


@function(
    "EMBED(text VARCHAR) -> ARRAY<DOUBLE>",
    warm=_warm,
    batch_limit=2000,
    timeout=30.0,
    example="SELECT ID, EMBED(BODY) AS VECTOR FROM MESSAGES EMIT CHANGES;",
)
def embed(texts: Sequence[str]) -> list[list[float]]:
    """256 numbers at unit length: the sum of the products of two texts' vectors is the closeness of what they are
    about, 1 at most. A text without words is all zeros."""
    found: list[list[float]] = load_embedding().embed(texts).astype("float64").tolist()
    return found
