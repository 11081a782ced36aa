"""Sentiment: a valence for every word, from lexicons or a linear model of its embedding, combined as English
does.

The word model comes from `udf_server.text.sentiment_training`. Negation, intensity, contrast ("but") and
emphasis follow the findings of Hutto and Gilbert, VADER (2014).
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from udf_server.text.embedding import load_embedding

if TYPE_CHECKING:
    from udf_server.text.embedding import Floats

NEUTRAL_WITHIN: Final = 0.33  # what one mild word ("lost", "fine") reaches does not make a mood
_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)?|n't|'[a-z]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# "Good morning" greets, it does not praise.
_GREETING: Final = re.compile(r"\bgood (?=(?:morning|afternoon|evening|day)\b)", re.IGNORECASE)
_NEGATION: Final = _words(
    "not no never n't without neither nor hardly lacks lack barely nothing cannot cant dont wont nobody none"
)
_STRONGER: Final = _words(
    "absolutely amazingly completely deeply enormously entirely especially extremely fully greatly highly hugely "
    "incredibly more most particularly purely really remarkably so thoroughly totally truly unbelievably utterly very"
)
_WEAKER: Final = _words("almost kinda less marginally occasionally partly scarcely slightly somewhat sorta")
_TURN: Final = 0.293  # what an intensifier adds
_FLIP: Final = -0.74  # what a negation multiplies by
_REACH: Final = 3  # words that a negation reaches
_MODEL_TRUST: Final = 0.6  # of a valence the linear model guessed, next to one that people gave
_LONGEST: Final = 200  # characters without a space that are looked through for shouting
_NORMAL: Final = 15.0  # the sum at which the score nears one


class Wholes:
    """Finds emoji, and phrases that mean another thing than their words."""

    def __init__(self, moods: Iterable[str]) -> None:
        phrases = sorted((m for m in moods if m.isascii()), key=len, reverse=True)
        parts = (re.escape(m).replace(r"\ ", r"\s{1,9}") for m in phrases)
        self._phrase = re.compile(rf"\b(?:{'|'.join(parts)})\b", re.IGNORECASE)
        self._rare = {max(m.split(), key=len) for m in phrases}  # to look for phrases where there may be some
        emoji = "".join(m for m in moods if not m.isascii())
        # With what gives it colour or form.
        self._emoji = re.compile(rf"([{emoji}])[\ufe0f\U0001f3fb-\U0001f3ff]{{0,2}}")

    def joined(self, text: str) -> str:
        """The text with phrases as one word, without their spaces, and emoji apart from what stands beside them."""
        if not text.isascii():
            text = self._emoji.sub(r" \1 ", text).replace("\u2019", "'")
        lower = text.lower()
        if any(word in lower for word in self._rare):
            text = self._phrase.sub(lambda m: "".join(m[0].split()), text)
        return text


@dataclass(slots=True)
class SentimentModel:
    """`lexicon` maps a word or emoticon to -4..4; `direction` and `intercept` guess it from a word's
    embedding."""

    lexicon: dict[str, float]
    direction: Floats
    intercept: float
    function_words: frozenset[str]
    wholes: Wholes
    _guessed: dict[str, float] = field(default_factory=dict)

    def scores(self, texts: Sequence[str]) -> list[float]:
        """-1 (negative) to 1 (positive) for each text; 0 where nothing speaks either way."""
        split = [self._tokens(text) for text in texts]
        self._learn({w for tokens in split for w, _ in tokens})
        return [self._score(text, tokens) for text, tokens in zip(texts, split, strict=True)]

    def _tokens(self, text: str) -> list[tuple[str, bool]]:
        """Words in lower case with whether they shout; emoticons, emoji and phrases whole."""
        out: list[tuple[str, bool]] = []
        for chunk in self.wholes.joined(_GREETING.sub("", text)).split():
            lower = chunk.lower()
            if lower in self.lexicon and not lower.isalpha():
                out.append((lower, False))
            else:
                shown = "" if chunk == lower else chunk[:_LONGEST]
                out += [(w, len(w) > 2 and w.upper() in shown) for w in _WORD.findall(lower)]
        return out

    def _learn(self, words: set[str]) -> None:
        """Guess the valence of words that no lexicon has; remembered, up to a size."""
        new = [
            w
            for w in words
            if w not in self.lexicon and w not in self._guessed and w not in self.function_words
        ]
        if not new:
            return
        if len(self._guessed) + len(new) > 200_000:
            self._guessed = {}
        guesses = (load_embedding().embed(new) @ self.direction + self.intercept) * _MODEL_TRUST
        self._guessed.update(zip(new, guesses.tolist(), strict=True))

    def _score(self, text: str, tokens: list[tuple[str, bool]]) -> float:
        shouting = any(loud for _, loud in tokens) and not all(loud for _, loud in tokens)
        words = [w for w, _ in tokens]
        contrast = len(words) - 1 - words[::-1].index("but") if "but" in words else -1
        total = 0.0
        for at, (word, loud) in enumerate(tokens):
            known = self.lexicon.get(word)
            value = self._guessed.get(word, 0.0) if known is None else known
            if not value:
                continue
            before = words[max(0, at - _REACH) : at]
            size = abs(value) + (0.733 if loud and shouting and known is not None else 0.0)
            if before and known is not None:
                size += _TURN * (before[-1] in _STRONGER) - _TURN * (before[-1] in _WEAKER)
            value = math.copysign(size, value)
            if any(w in _NEGATION or w.endswith("n't") for w in before):
                value *= _FLIP
            if contrast >= 0:
                value *= 0.5 if at < contrast else 1.5
            total += value
        total += math.copysign(0.292 * min(text.count("!"), 4), total) if total else 0.0
        return total / math.sqrt(total * total + _NORMAL)


def _read_moods() -> dict[str, float]:
    """Lines of `moods.tsv`: valence, emoji or phrases with `|` between."""
    content = (files("udf_server.text") / "data" / "moods.tsv").read_text(encoding="utf-8")
    lines = (line.split("\t") for line in content.splitlines() if not line.startswith("#"))
    return {word: float(valence) for valence, words in lines for word in words.split("|")}


def label_of(score: float) -> str:
    """POSITIVE, NEGATIVE, or NEUTRAL when the score is too small to tell."""
    return "NEUTRAL" if abs(score) < NEUTRAL_WITHIN else "POSITIVE" if score > 0 else "NEGATIVE"


@cache
def load_sentiment() -> SentimentModel:
    """The shipped model, read once."""
    import numpy as np

    content = (files("udf_server.text") / "data" / "sentiment.npz").read_bytes()
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        words = str(arrays["words"]).split("\n")
        valence = arrays["valence"].astype(np.float64).round(3).tolist()
        moods = _read_moods()
        return SentimentModel(
            lexicon=dict(zip(words, valence, strict=True))
            | {"".join(m.split()): v for m, v in moods.items()},
            wholes=Wholes(moods),
            direction=arrays["direction"].astype(np.float32),
            intercept=float(arrays["intercept"]),
            function_words=frozenset(str(arrays["function_words"]).split()),
        )
