"""What each word adds to a score: the score of the text less the score of the text without that word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

MAX_WORDS: Final = 24  # distinct ones of a text, the first

Scorer = Callable[[Sequence[str], Sequence[int]], Sequence[float]]


def word_contributions(texts: Sequence[str], score: Scorer) -> list[dict[str, float]]:
    """By text, each word's contribution. `score` takes texts and, for each, the number of the row it comes from, so
    that it can score what it answered for that row."""
    variants: list[str] = []
    rows: list[int] = []
    words: list[list[str]] = []
    for row, text in enumerate(texts):
        parts = text[:4000].split()
        distinct = list(dict.fromkeys(parts))[:MAX_WORDS]
        words.append(distinct)
        variants.append(text[:4000])
        variants += [" ".join(p for p in parts if p != word) for word in distinct]
        rows += [row] * (1 + len(distinct))
    scores = iter(score(variants, rows) if variants else [])
    out: list[dict[str, float]] = []
    for distinct in words:
        whole = next(scores)
        out.append({word: float(whole - next(scores)) for word in distinct})
    return out
