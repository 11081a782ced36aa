"""SENTIMENT: whether a text speaks well or ill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from udf_server.function import function
from udf_server.text.sentiment import label_of, load_sentiment


def _warm() -> object:
    return load_sentiment().scores(["warm"])


@function(
    "SENTIMENT(text VARCHAR) -> STRUCT<LABEL VARCHAR, SCORE DOUBLE>",
    warm=_warm,
    batch_limit=2000,
    timeout=30.0,
    example="SELECT BODY, SENTIMENT(BODY)->LABEL AS MOOD FROM MESSAGES EMIT CHANGES;",
)
def sentiment(texts: Sequence[str]) -> list[dict[str, Any]]:
    """LABEL is POSITIVE, NEGATIVE or NEUTRAL; SCORE goes from -1 to 1. English."""
    return [{"LABEL": label_of(score), "SCORE": score} for score in load_sentiment().scores(texts)]
