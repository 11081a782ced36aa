"""What a text shows besides its words: strong language by the lexicon, whom it is about, its mood, and its form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from udf_server.text.moderation import CATEGORIES, load_lexicon, normal, pattern_of
from udf_server.text.ngrams import MAX_CHARACTERS

if TYPE_CHECKING:
    from udf_server.text.embedding import Floats

_LINK: Final = re.compile(r"https?://\S+")
_MENTION: Final = re.compile(r"@\w+")
_REPEATED: Final = re.compile(r"\bRT\b")
_FORM: Final = (
    "characters", "words", "characters a word", "distinct words", "letters a word", "loud words", "capitals",
    "digits", "exclamations", "questions", "tags", "mentions", "links", "quotes", "entities", "repeats another",
)  # fmt: skip
SIGNS: Final = ("mood", *CATEGORIES, "contempt", "group", *_FORM)


def signs(texts: Sequence[str], mood: Floats) -> Floats:
    """Texts by `SIGNS`; `mood` is one column, the sentiment by the lexicon."""
    import numpy as np

    shown = [(*_content(normal(text)), *_form(text[:MAX_CHARACTERS])) for text in texts]
    return np.hstack((mood, np.array(shown, dtype=np.float32).reshape(len(texts), len(SIGNS) - 1)))


def _content(read: str) -> tuple[float, ...]:
    """The scores of the categories, and how often words of each kind of `groups.tsv` come."""
    return (*load_lexicon().of(read).values(), *(len(words.findall(read)) for words in _groups()))


@cache
def _groups() -> tuple[re.Pattern[str], ...]:
    content = (files("udf_server.text") / "data" / "groups.tsv").read_text(encoding="utf-8")
    lines = (line.split("\t") for line in content.splitlines() if not line.startswith("#"))
    return tuple(pattern_of(words.split("|")) for _, words in lines)


def _form(text: str) -> tuple[float, ...]:
    """In the order of `_FORM`. A mention or a link counts as one word, whatever its letters."""
    plain, links = _LINK.subn(" LINK ", text)
    plain, mentions = _MENTION.subn(" MENTION ", plain)
    words = plain.split()
    count = max(1, len(words))
    return (
        len(text),
        len(words),
        len(text) / count,
        len(set(words)) / count,
        sum(map(len, words)) / count,
        sum(len(w) > 1 and w.isupper() for w in words) - links - mentions,
        sum(map(str.isupper, text)) / max(1, len(text)),
        sum(map(str.isdigit, text)),
        text.count("!"),
        text.count("?"),
        text.count("#"),
        mentions,
        links,
        text.count('"'),
        text.count("&#"),
        _REPEATED.search(text) is not None,
    )
