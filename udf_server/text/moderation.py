"""Moderation by a lexicon of our own: words and phrases for each category, read through common disguises.

It knows strong language, not intent: irony, reclaimed words and quotation it cannot tell. A classifier trained under
the name `moderation` knows a community's own texts better and takes over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

THRESHOLD: Final = 0.5  # of a category's score, from which a text is flagged
CATEGORIES: Final = ("hate", "harassment", "violence", "sexual", "self_harm", "profanity")
MAX_CHARACTERS: Final = 20_000
_DISGUISES: Final = str.maketrans(
    {"@": "a", "4": "a", "3": "e", "1": "i", "!": "i", "0": "o", "$": "s", "5": "s", "7": "t"}
)
_UNBROKEN: Final = re.compile(r"\S+")
_LAST_LETTER: Final = re.compile(r".*[^\W\d_]", re.DOTALL)
_LAST_SIGN: Final = re.compile(r".*[@431!0$57]", re.DOTALL)
_WORD: Final = re.compile(r"[\w@!$]+")
_SPACED: Final = re.compile(r"\b(?:[a-z][ .*_-]){2,}[a-z]\b")
_STRETCHED: Final = re.compile(r"([a-z])\1{2,}")
_NOISE: Final = re.compile(r"https?://\S+|&\w+;|&#\d+;")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """By category, the rules: a pattern and how sure a match makes, 0..1."""

    rules: dict[str, list[tuple[re.Pattern[str], float]]]

    def scores(self, text: str) -> dict[str, float]:
        """0..1 for each category; matches of several rules add up as independent doubts do."""
        return self.of(normal(text))

    def of(self, read: str) -> dict[str, float]:
        """As `scores`, of a text that `normal` read."""
        out = {}
        for category, rules in self.rules.items():
            doubt = 1.0
            for pattern, sure in rules:
                if pattern.search(read):
                    doubt *= 1.0 - sure
            out[category] = 1.0 - doubt
        return out


def normal(text: str) -> str:
    """Lower case, links and entities taken out, digits and signs that stand for letters turned back, letters spelled
    apart joined, stretched ones shortened."""
    plain = _NOISE.sub(" ", text[:MAX_CHARACTERS].lower())
    plain = _UNBROKEN.sub(_undisguised, plain)
    plain = _SPACED.sub(lambda m: re.sub(r"[ .*_-]", "", m[0]), plain)
    return _STRETCHED.sub(r"\1\1", plain)


def _undisguised(run: re.Match[str]) -> str:
    """Characters without a space between: words read through where a letter and a sign are in them or follow."""
    letter, sign = _LAST_LETTER.match(run[0]), _LAST_SIGN.match(run[0])
    if letter is None or sign is None:
        return run[0]
    last = min(letter.end(), sign.end())

    def read(word: re.Match[str]) -> str:
        if word.start() >= last:
            return word[0]
        core = word[0].rstrip("!")  # an exclamation mark at the end is one
        return core.translate(_DISGUISES) + word[0][len(core) :]

    return _WORD.sub(read, run[0])


@cache
def load_lexicon() -> Lexicon:
    """The shipped lexicon, read once. Lines of `moderation.tsv`: category, how sure, words or phrases with `|` between;
    a trailing `*` stands for any ending. Words that make a rule equally sure are one pattern. What a line `@NAME` has
    stands for {NAME} in those below."""
    named: dict[str, str] = {}
    rules: dict[str, list[tuple[re.Pattern[str], float]]] = {c: [] for c in CATEGORIES}
    content = (files("udf_server.text") / "data" / "moderation.tsv").read_text(encoding="utf-8")
    for line in content.splitlines():
        if line and not line.startswith("#"):
            category, sure, words = line.split("\t")
            if category.startswith("@"):
                named[category[1:]] = rf"(?:{_either(words.split('|'))})(?!')"  # "women's" are no people
            else:
                rules[category].append((pattern_of(words.split("|"), named), float(sure)))
    return Lexicon(rules)


def pattern_of(words: Sequence[str], named: Mapping[str, str] | None = None) -> re.Pattern[str]:
    """Any of the words or phrases; a trailing `*` stands for any ending, {NAME} for the pattern of that name."""
    pattern = _either(words)
    for name, inside in (named or {}).items():
        pattern = pattern.replace(rf"\{{{name}\}}", inside)
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)")


def _either(words: Sequence[str]) -> str:
    return "|".join(
        re.escape(w.removesuffix("*")).replace(r"\ ", r"\s+") + (r"\w*" if w.endswith("*") else "")
        for w in words
    )
