"""CLASSIFY and CLASSIFY_PROBA: which label a text fits, of those given or of those a model was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from udf_server.builtin.named import refusal
from udf_server.context import Context
from udf_server.errors import ModelError
from udf_server.function import RowError, function
from udf_server.text.embedding import load_embedding
from udf_server.text.encoder import encoder_model
from udf_server.text.model import text_model
from udf_server.text.occlusion import word_contributions
from udf_server.text.zeroshot import label_probabilities

_MAX_LABELS: Final = 1000

_Found = list[dict[str, float] | RowError]
_Chances = Callable[[Sequence[str], tuple[str, ...]], Any]  # texts by labels


def _warm() -> object:
    return load_embedding()


def _by_labels(
    texts: Sequence[str],
    labels: Sequence[Sequence[str | None]],
    chances: _Chances = label_probabilities,
) -> _Found:
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
        found = chances([texts[row] for row in rows], tuple(known)).tolist()
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
                out[row] = refusal(context, name, error)
            continue
        found = model.of([texts[row] for row in rows]).tolist()
        for row, probabilities in zip(rows, found, strict=True):
            out[row] = dict(zip(model.classes, probabilities, strict=True))
    return out


def _by_encoder(
    context: Context, names: Sequence[str], texts: Sequence[str], labels: Sequence[Sequence[str | None]]
) -> _Found:
    """Probabilities of each row's own labels, by each row's own encoder."""
    out: _Found = [{}] * len(texts)
    for name in dict.fromkeys(names):
        rows = [row for row, given in enumerate(names) if given == name]
        try:
            chances = encoder_model(context.models, name).label_probabilities
        except ModelError as error:
            for row in rows:
                out[row] = refusal(context, name, error)
            continue
        found = _by_labels([texts[row] for row in rows], [labels[row] for row in rows], chances)
        for row, probabilities in zip(rows, found, strict=True):
            out[row] = probabilities
    return out


def _likeliest(found: _Found) -> list[str | RowError]:
    return [row if isinstance(row, RowError) else max(row, key=row.__getitem__) for row in found]


def _attributions(context: Context, *columns: Sequence[Any]) -> list[dict[str, float] | RowError]:
    """What each word adds to the probability of the label that was answered."""
    place = _text_place(columns)
    chosen = _likeliest(_any(context, columns))
    good = [row for row, label in enumerate(chosen) if not isinstance(label, RowError)]

    def score(variants: Sequence[str], rows: Sequence[int]) -> list[float]:
        at = [good[row] for row in rows]
        given = [[column[row] for row in at] for column in columns]
        given[place] = list(variants)
        found = _any(context, given)
        return [
            0.0 if isinstance(p, RowError) else p.get(str(chosen[row]), 0.0)
            for row, p in zip(at, found, strict=True)
        ]

    out: list[dict[str, float] | RowError] = [
        label if isinstance(label, RowError) else {} for label in chosen
    ]
    texts = [str(columns[place][row]) for row in good]
    for row, words in zip(good, word_contributions(texts, score), strict=True):
        out[row] = words
    return out


def _text_place(columns: Sequence[Sequence[Any]]) -> int:
    """Of (text, labels), (model, text) and (model, text, labels)."""
    return 0 if len(columns) == 2 and not all(isinstance(given, str) for given in columns[1]) else 1


def _any(context: Context, columns: Sequence[Sequence[Any]]) -> _Found:
    if len(columns) == 3:
        return _by_encoder(context, *columns)
    return (_by_model if _text_place(columns) else _of_labels)(context, *columns)


def _of_labels(context: Context, texts: Sequence[str], labels: Sequence[Sequence[str | None]]) -> _Found:
    del context
    return _by_labels(texts, labels)


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
    CLASSIFY('model', text) asks a classifier trained with `ksqlkit train NAME --from FILE --label COL --text COL`, and
    CLASSIFY('encoder', text, labels) an ONNX encoder of your own, as EMBED does."""
    return _likeliest(_by_labels(texts, labels))


@classify.overload("CLASSIFY(model VARCHAR, text VARCHAR) -> VARCHAR")
def _classify_by_model(context: Context, names: Sequence[str], texts: Sequence[str]) -> list[str | RowError]:
    return _likeliest(_by_model(context, names, texts))


@classify.overload("CLASSIFY(model VARCHAR, text VARCHAR, labels ARRAY<VARCHAR>) -> VARCHAR")
def _classify_by_encoder(
    context: Context, names: Sequence[str], texts: Sequence[str], labels: Sequence[Sequence[str | None]]
) -> list[str | RowError]:
    return _likeliest(_by_encoder(context, names, texts, labels))


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


classify_proba.overload(
    "CLASSIFY_PROBA(model VARCHAR, text VARCHAR, labels ARRAY<VARCHAR>) -> MAP<VARCHAR, DOUBLE>"
)(_by_encoder)
