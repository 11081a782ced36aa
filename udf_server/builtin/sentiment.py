"""SENTIMENT: whether a text speaks well or ill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from udf_server.context import Context
from udf_server.errors import ModelError
from udf_server.function import RowError, function
from udf_server.text.model import optional_text_model, poles
from udf_server.text.occlusion import word_contributions
from udf_server.text.sentiment import label_of, load_sentiment

MODEL: Final = "sentiment"  # the name a trained classifier must have to answer here


def _warm() -> object:
    return load_sentiment().scores(["warm"])


def _scores(context: Context, texts: Sequence[str]) -> list[float]:
    """-1 to 1: from the trained model when there is one, else from the lexicon. Raises ModelError."""
    model = optional_text_model(context.models, MODEL)
    if model is None:
        return load_sentiment().scores(texts)
    good, bad = poles(MODEL, model.classes)
    found = model.of(texts)
    return [float(v) for v in found[:, good] - found[:, bad]]


def _attributions(context: Context, texts: Sequence[str]) -> list[dict[str, float]]:
    return word_contributions(texts, lambda variants, _: _scores(context, variants))


@function(
    "SENTIMENT(text VARCHAR) -> STRUCT<LABEL VARCHAR, SCORE DOUBLE>",
    warm=_warm,
    trained=MODEL,
    context=True,
    batch_limit=2000,
    timeout=30.0,
    attributions=_attributions,
    example="SELECT BODY, SENTIMENT(BODY)->LABEL AS MOOD FROM MESSAGES EMIT CHANGES;",
)
def sentiment(context: Context, texts: Sequence[str]) -> list[dict[str, Any] | RowError]:
    """LABEL is POSITIVE, NEGATIVE or NEUTRAL; SCORE goes from -1 to 1. English, from a lexicon; a classifier trained
    under the name `sentiment` (classes positive and negative) takes over."""
    try:
        scores = _scores(context, texts)
    except ModelError as error:
        return [RowError(str(error), "UNAVAILABLE")] * len(texts)
    return [{"LABEL": label_of(score), "SCORE": score} for score in scores]
