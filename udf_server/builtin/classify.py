"""CLASSIFY and CLASSIFY_PROBA: which of the given labels a text fits, with no training."""

from __future__ import annotations

from collections.abc import Sequence

from udf_server.function import RowError, function
from udf_server.text.embedding import load_embedding
from udf_server.text.zeroshot import label_probabilities

_MAX_LABELS = 1000


def _warm() -> object:
    return load_embedding()


def _by_labels(
    texts: Sequence[str], labels: Sequence[Sequence[str | None]]
) -> list[dict[str, float] | RowError]:
    """Probabilities of each row's own labels; rows with the same labels are answered together."""
    groups: dict[tuple[str | None, ...], list[int]] = {}
    for row, given in enumerate(labels):
        groups.setdefault(tuple(given), []).append(row)
    out: list[dict[str, float] | RowError] = [{}] * len(texts)
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


@function(
    "CLASSIFY(text VARCHAR, labels ARRAY<VARCHAR>) -> VARCHAR",
    warm=_warm,
    batch_limit=2000,
    timeout=30.0,
    example="SELECT CLASSIFY(BODY, ARRAY['card lost', 'refund', 'login']) AS SUBJECT FROM MESSAGES EMIT CHANGES;",
)
def classify(texts: Sequence[str], labels: Sequence[Sequence[str | None]]) -> list[str | RowError]:
    """The label that fits the text best. Labels are free text: a few plain words each work best."""
    return [
        row if isinstance(row, RowError) else max(row, key=row.__getitem__)
        for row in _by_labels(texts, labels)
    ]


@function(
    "CLASSIFY_PROBA(text VARCHAR, labels ARRAY<VARCHAR>) -> MAP<VARCHAR, DOUBLE>",
    warm=_warm,
    batch_limit=2000,
    timeout=30.0,
    example="SELECT CLASSIFY_PROBA(BODY, ARRAY['billing', 'login']) AS P FROM MESSAGES EMIT CHANGES;",
)
def classify_proba(
    texts: Sequence[str], labels: Sequence[Sequence[str | None]]
) -> list[dict[str, float] | RowError]:
    """The probability of each label; they sum to one."""
    return _by_labels(texts, labels)
