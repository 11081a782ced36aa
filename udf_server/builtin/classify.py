"""CLASSIFY and CLASSIFY_PROBA: which label a text fits, of those given or of those a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from udf_server.context import Context
from udf_server.errors import ModelError
from udf_server.function import RowError, function
from udf_server.text.embedding import load_embedding
from udf_server.text.model import text_model
from udf_server.text.occlusion import word_contributions
from udf_server.text.zeroshot import label_probabilities

_MAX_LABELS: Final = 1000

_Found = list[dict[str, float] | RowError]


def _warm() -> object:
    return load_embedding()


def _by_labels(texts: Sequence[str], labels: Sequence[Sequence[str | None]]) -> _Found:
    """Probabilities of each row's own labels; rows with the same labels are answered together."""
    groups: dict[tuple[str | None, ...], list[int]] = {}
    for row, given in enumerate(labels):
        groups.setdefault(tuple(given), []).append(row)
    out: _Found = [{}] * len(texts)
    for given, rows in groups.items():
        known = list(dict.fromkeys(label for label in given if label is not None))
        if not known or len(known) > _MAX_LABELS:
            error = RowError(f"give 1 to {_MAX_LABELS} labels, not {len(known)}")
            for row in rows:
                out[row] = error
            continue
        found = label_probabilities([texts[row] for row in rows], tuple(known)).tolist()
        for row, probabilities in zip(rows, found, strict=True):
            out[row] = dict(zip(known, probabilities, strict=True))
    return out


def _by_model(context: Context, names: Sequence[str], texts: Sequence[str]) -> _Found:
    """Probabilities of the classes of each row's own model."""
    out: _Found = [{}] * len(texts)
    for name in dict.fromkeys(names):
        rows = [row for row, given in enumerate(names) if given == name]
        try:
            model = text_model(context.models, name)
        except ModelError as error:
            for row in rows:
                out[row] = RowError(str(error), "UNAVAILABLE")
            continue
        found = model.of([texts[row] for row in rows]).tolist()
        for row, probabilities in zip(rows, found, strict=True):
            out[row] = dict(zip(model.classes, probabilities, strict=True))
    return out


def _likeliest(found: _Found) -> list[str | RowError]:
    return [row if isinstance(row, RowError) else max(row, key=row.__getitem__) for row in found]


def _attributions(
    context: Context, first: Sequence[str], second: Sequence[str] | Sequence[Sequence[str | None]]
) -> list[dict[str, float] | RowError]:
    """What each word adds to the probability of the label that was answered."""
    named = all(isinstance(given, str) for given in second)
    texts = [str(t) for t in second] if named else first
    chosen = _likeliest(_both(context, first, second))
    good = [row for row, label in enumerate(chosen) if not isinstance(label, RowError)]

    def score(variants: Sequence[str], rows: Sequence[int]) -> list[float]:
        at = [good[row] for row in rows]
        left = [first[row] for row in at] if named else variants
        right = variants if named else [second[row] for row in at]
        found = _both(context, left, right)
        return [
            0.0 if isinstance(p, RowError) else p.get(str(chosen[row]), 0.0)
            for row, p in zip(at, found, strict=True)
        ]

    out: list[dict[str, float] | RowError] = [
        label if isinstance(label, RowError) else {} for label in chosen
    ]
    for row, words in zip(good, word_contributions([texts[row] for row in good], score), strict=True):
        out[row] = words
    return out


def _both(context: Context, first: Sequence[str], second: Sequence[object]) -> _Found:
    if all(isinstance(given, str) for given in second):
        return _by_model(context, first, [str(text) for text in second])
    return _by_labels(first, second)  # type: ignore[arg-type]  # not texts, so arrays of labels


@function(
    "CLASSIFY(text VARCHAR, labels ARRAY<VARCHAR>) -> VARCHAR",
    warm=_warm,
    context=True,
    batch_limit=2000,
    timeout=30.0,
    attributions=_attributions,
    example="SELECT CLASSIFY(BODY, ARRAY['card lost', 'refund', 'login']) AS SUBJECT FROM MESSAGES EMIT CHANGES;",
)
def classify(
    context: Context,  # noqa: ARG001
    texts: Sequence[str],
    labels: Sequence[Sequence[str | None]],
) -> list[str | RowError]:
    """The label that fits the text best. Labels are free text, a few plain words each, with no training; or
    CLASSIFY('model', text) asks a classifier trained with `ksqlkit train NAME --from FILE --label COL --text COL`.
    """
    return _likeliest(_by_labels(texts, labels))


@classify.overload("CLASSIFY(model VARCHAR, text VARCHAR) -> VARCHAR")
def _classify_by_model(context: Context, names: Sequence[str], texts: Sequence[str]) -> list[str | RowError]:
    return _likeliest(_by_model(context, names, texts))


@function(
    "CLASSIFY_PROBA(text VARCHAR, labels ARRAY<VARCHAR>) -> MAP<VARCHAR, DOUBLE>",
    warm=_warm,
    context=True,
    batch_limit=2000,
    timeout=30.0,
    attributions=_attributions,
    example="SELECT CLASSIFY_PROBA(BODY, ARRAY['billing', 'login']) AS P FROM MESSAGES EMIT CHANGES;",
)
def classify_proba(
    context: Context,  # noqa: ARG001
    texts: Sequence[str],
    labels: Sequence[Sequence[str | None]],
) -> _Found:
    """The probability of each label, of those given or of those a model was trained on; they sum to one."""
    return _by_labels(texts, labels)


@classify_proba.overload("CLASSIFY_PROBA(model VARCHAR, text VARCHAR) -> MAP<VARCHAR, DOUBLE>")
def _proba_by_model(context: Context, names: Sequence[str], texts: Sequence[str]) -> _Found:
    return _by_model(context, names, texts)
