"""MODERATE: whether a text should be looked at, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from udf_server.context import Context
from udf_server.errors import ModelError
from udf_server.function import RowError, function
from udf_server.text.model import harmless_class, optional_text_model
from udf_server.text.moderation import THRESHOLD, load_lexicon
from udf_server.text.occlusion import word_contributions

MODEL: Final = "moderation"  # the name a trained classifier must have to answer here


def _warm() -> object:
    return load_lexicon()


def _answers(context: Context, texts: Sequence[str]) -> list[dict[str, Any]]:
    """From the trained model when there is one, else from the lexicon. Raises ModelError."""
    model = optional_text_model(context.models, MODEL)
    if model is None:
        lexicon = load_lexicon()
        scores = [lexicon.scores(text) for text in texts]
        return [{"FLAGGED": max(s.values()) >= THRESHOLD, "CATEGORIES": s} for s in scores]
    ordinary = harmless_class(model.classes)
    if ordinary is None:
        shown = ", ".join(model.classes)
        raise ModelError(f"model {MODEL!r} has no class for harmless texts, such as neither; it has {shown}")
    out: list[dict[str, Any]] = []
    for row in model.of(texts).tolist():
        by_class = dict(zip(model.classes, row, strict=True))
        likeliest = max(by_class, key=by_class.__getitem__)
        del by_class[ordinary]
        out.append({"FLAGGED": likeliest != ordinary, "CATEGORIES": by_class})
    return out


def _attributions(context: Context, texts: Sequence[str]) -> list[dict[str, float]]:
    """What each word adds to the highest category of its text."""
    answers = _answers(context, texts)
    worst = [max(a["CATEGORIES"], key=a["CATEGORIES"].__getitem__) for a in answers]

    def score(variants: Sequence[str], rows: Sequence[int]) -> list[float]:
        found = _answers(context, variants)
        return [a["CATEGORIES"][worst[row]] for row, a in zip(rows, found, strict=True)]

    return word_contributions(texts, score)


@function(
    "MODERATE(text VARCHAR) -> STRUCT<FLAGGED BOOLEAN, CATEGORIES MAP<VARCHAR, DOUBLE>>",
    warm=_warm,
    trained=MODEL,
    context=True,
    batch_limit=2000,
    timeout=30.0,
    attributions=_attributions,
    example="SELECT BODY FROM MESSAGES WHERE MODERATE(BODY)->FLAGGED EMIT CHANGES;",
)
def moderate(context: Context, texts: Sequence[str]) -> list[dict[str, Any] | RowError]:
    """FLAGGED when a person should look; CATEGORIES gives 0 to 1 for hate, harassment, violence, sexual, self_harm and
    profanity, from an English lexicon. A classifier trained under the name `moderation`, with one class for harmless
    texts (neither, none, ok), takes over with its own classes."""
    try:
        return list(_answers(context, texts))
    except ModelError as error:
        return [RowError(str(error), "UNAVAILABLE")] * len(texts)
