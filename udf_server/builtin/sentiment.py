"""SENTIMENT: whether a text speaks well or ill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from udf_server.context import Context
from udf_server.errors import ModelError
from udf_server.function import RowError, function
from udf_server.text.model import TextModel, optional_text_model
from udf_server.text.occlusion import word_contributions
from udf_server.text.sentiment import label_of, load_sentiment

MODEL: Final = "sentiment"  # the name a trained classifier must have to answer here
_GOOD: Final = frozenset(("positive", "pos", "1", "good", "favorable"))
_BAD: Final = frozenset(("negative", "neg", "0", "-1", "bad", "unfavorable"))


def _warm() -> object:
    return load_sentiment().scores(["warm"])


def _scores(context: Context, texts: Sequence[str]) -> list[float]:
    """-1 to 1: from the trained model when there is one, else from the lexicon. Raises ModelError."""
    model = optional_text_model(context.models, MODEL)
    if model is None:
        return load_sentiment().scores(texts)
    good, bad = _poles(model)
    found = model.of(texts)
    return [float(v) for v in found[:, good] - found[:, bad]]


def _poles(model: TextModel) -> tuple[int, int]:
    names = [c.lower() for c in model.classes]
    good = next((i for i, n in enumerate(names) if n in _GOOD), None)
    bad = next((i for i, n in enumerate(names) if n in _BAD), None)
    if good is None or bad is None:
        raise ModelError(
            f"model {MODEL!r} must have the classes positive and negative; it has {', '.join(model.classes)}"
        )
    return good, bad


def _attributions(context: Context, texts: Sequence[str]) -> list[dict[str, float]]:
    return word_contributions(texts, lambda variants, _: _scores(context, variants))


@function(
    "SENTIMENT(text VARCHAR) -> STRUCT<LABEL VARCHAR, SCORE DOUBLE>",
    warm=_warm,
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
