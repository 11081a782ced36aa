"""Texts as weighted n-grams of words or characters: term frequency damped, rarity weighted, unit length (TF-IDF)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from udf_server.text.embedding import Floats

    Integers = NDArray[np.int64]

MAX_CHARACTERS: Final = 20_000  # of a text; what is past it is not read
_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[!?#$%:;()'\"&/\\*=<>-]")
_CACHED_WORDS: Final = 50_000


@dataclass(frozen=True, slots=True)
class Kind:
    """Which n-grams: of `unit` 'word' or 'char' from `low` to `high` long. With `inside`, character n-grams do not
    cross words, which suits language; without, they see punctuation and blanks as they are, which suits payloads."""

    unit: str
    low: int
    high: int
    inside: bool = True


@dataclass(frozen=True, slots=True)
class Encoded:
    """Sparse rows: `columns` and `values` of all texts one after another, `counts` of each text."""

    columns: Integers
    values: Floats
    counts: Integers

    def times(self, weights: Floats, chunk: int = 256) -> Floats:
        """The product with a dense matrix, columns by outputs; texts by outputs."""
        import numpy as np

        out = np.zeros((len(self.counts), weights.shape[1]), dtype=np.float32)
        ends = np.concatenate(([0], np.cumsum(self.counts)))
        for at in range(0, len(self.counts), chunk):  # bounds the memory of the table of products
            counts = self.counts[at : at + chunk]
            filled = np.flatnonzero(counts)
            if filled.size:
                part = slice(int(ends[at]), int(ends[at + len(counts)]))
                products = weights[self.columns[part]] * self.values[part, None]
                starts = np.concatenate(([0], np.cumsum(counts[filled])[:-1]))
                out[at + filled] = np.add.reduceat(products, starts, axis=0)
        return out

    def present(self) -> Encoded:
        """One for each n-gram that occurs."""
        import numpy as np

        return Encoded(self.columns, np.ones_like(self.values), self.counts)

    def scaled(self, factors: Floats) -> Encoded:
        """Each column times its factor, rows at unit length again."""
        return Encoded(self.columns, _unit(self.values * factors[self.columns], self.counts), self.counts)


def split(text: str) -> list[str]:
    """Words and telling punctuation, in lower case."""
    return _WORD.findall(text[:MAX_CHARACTERS].lower())


def grams(text: str, kind: Kind) -> Iterable[str]:
    """The n-grams of a text, with repeats."""
    if kind.unit == "word":
        words = split(text)
        runs: list[Iterable[str]] = [words] if kind.low == 1 else []
        if kind.high >= 2 >= kind.low:
            runs.append(f"{a} {b}" for a, b in pairwise(words))
        if kind.high >= 3:
            runs.append(" ".join(run) for run in zip(words, words[1:], words[2:], strict=False))
        return chain.from_iterable(runs)
    if kind.inside:
        return chain.from_iterable(_inside(word, kind) for word in text[:MAX_CHARACTERS].lower().split())
    return _slices(text[:MAX_CHARACTERS].lower(), kind.low, kind.high)


def _inside(word: str, kind: Kind) -> list[str]:
    return list(_slices(f" {word} ", kind.low, kind.high))


def _slices(text: str, low: int, high: int) -> Iterable[str]:
    for size in range(low, min(high, len(text)) + 1):
        for at in range(len(text) - size + 1):
            yield text[at : at + size]


@dataclass(slots=True)
class Ngrams:
    """A vocabulary of n-grams and the rarity (inverse document frequency) of each."""

    kind: Kind
    vocabulary: Mapping[str, int]
    rarity: Floats
    _words: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def learn(cls, texts: Sequence[str], kind: Kind, *, seen: int = 1, limit: int = 200_000) -> Ngrams:
        """From texts: n-grams that at least `seen` of them have, the most common `limit`."""
        import numpy as np

        documents: Counter[str] = Counter()
        for text in texts:
            documents.update(set(grams(text, kind)))
        kept = sorted(g for g, n in documents.most_common(limit) if n >= seen and "\n" not in g)
        counts = np.array([documents[g] for g in kept], dtype=np.float64)
        rarity = (np.log((1 + len(texts)) / (1 + counts)) + 1).astype(np.float32)
        return cls(kind, {g: i for i, g in enumerate(kept)}, rarity)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Texts as sparse rows over the vocabulary."""
        import numpy as np

        found = [Counter(self._columns(text)) for text in texts]
        counts = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
        total = int(counts.sum())
        columns = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=total)
        times = np.fromiter(chain.from_iterable(c.values() for c in found), dtype=np.float32, count=total)
        values = (1 + np.log(times)) * self.rarity[columns] if total else times
        return Encoded(columns, _unit(values, counts), counts)

    def _columns(self, text: str) -> Iterable[int]:
        get = self.vocabulary.get
        if self.kind.unit == "word" or not self.kind.inside:
            return (i for g in grams(text, self.kind) if (i := get(g)) is not None)
        return chain.from_iterable(map(self._of_word, text[:MAX_CHARACTERS].lower().split()))

    def _of_word(self, word: str) -> list[int]:
        """The columns of a word's characters; words come again and again."""
        found = self._words.get(word)
        if found is None:
            get = self.vocabulary.get
            found = [i for g in _inside(word, self.kind) if (i := get(g)) is not None]
            if len(word) <= 30:
                if len(self._words) >= _CACHED_WORDS:
                    self._words = {}
                self._words[word] = found
        return found

    def arrays(self) -> dict[str, Any]:
        """What `restore` needs, as arrays."""
        import numpy as np

        kind = [self.kind.unit, str(self.kind.low), str(self.kind.high), str(int(self.kind.inside))]
        vocabulary = np.frombuffer("\n".join(self.vocabulary).encode(), dtype=np.uint8)
        return {"kind": np.array(kind), "vocabulary": vocabulary, "rarity": self.rarity.astype(np.float16)}

    @classmethod
    def restore(cls, arrays: Mapping[str, Any]) -> Ngrams:
        """From `arrays`; raises ValueError when they do not fit each other."""
        import numpy as np

        unit, low, high, inside = arrays["kind"].tolist()
        known = arrays["vocabulary"].tobytes().decode().split("\n")
        rarity = arrays["rarity"].astype(np.float32)
        if len(known) != len(rarity):
            raise ValueError(f"{len(known)} n-grams but {len(rarity)} weights of rarity")
        return cls(
            Kind(unit, int(low), int(high), inside == "1"), {g: i for i, g in enumerate(known)}, rarity
        )


def _unit(values: Floats, counts: Integers) -> Floats:
    """Each row's values at unit length."""
    import numpy as np

    row = np.repeat(np.arange(len(counts)), counts)
    squares = np.bincount(row, weights=values**2, minlength=len(counts))
    lengths = np.sqrt(np.maximum(squares, 1e-24))
    return (values / lengths[row]).astype(np.float32)
