"""The parts a text classifier votes with. Each gives one score per class; the classifier adds them up.

LINEAR   weights over word and character n-grams and the mean embedding of a text
TELLING  weights over words, each n-gram counting by how unevenly the classes use it (after Wang and Manning,
         "Baselines and Bigrams", 2012)
TUNED    the embedding's own token vectors, moved by training, and averaged with learned attention; twice,
             from different starts
BOOSTED  trees over which words occur, and the signs
MOOD     how well or ill the text speaks, by the shipped sentiment lexicon
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

from udf_server.text.embedding import load_embedding
from udf_server.text.ngrams import Ngrams
from udf_server.text.signs import SIGNS, signs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from udf_server.text.embedding import Floats

EMBEDDING_WEIGHT: Final = 1.5  # of the embedding's unit vector next to the n-grams' ones


class Texts:
    """Some texts, with what several members compute of them computed once."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    @cached_property
    def tokens(self) -> list[list[int]]:
        """Token numbers of each text, in lower case."""
        return load_embedding().tokens([t.lower() for t in self.texts])

    @cached_property
    def embedding(self) -> Floats:
        """Mean embedding of each text."""
        return load_embedding().embed(self.texts)

    @cached_property
    def mood(self) -> Floats:
        """Sentiment of each text by the lexicon, as one column."""
        import numpy as np

        from udf_server.text.sentiment import load_sentiment

        return np.array(load_sentiment().scores(self.texts), dtype=np.float32)[:, None]

    @cached_property
    def signs(self) -> Floats:
        """What each text shows besides its words; texts by `SIGNS`."""
        return signs(self.texts, self.mood)


class Member(Protocol):
    """Gives scores, and the arrays it is saved as."""

    def scores(self, given: Texts) -> Floats:
        """Texts by classes."""

    def arrays(self) -> dict[str, Any]:
        """What its reader takes."""


@dataclass(slots=True)
class Linear:
    """Blocks of n-grams and the embedding, times weights."""

    blocks: list[Ngrams]
    weights: list[Floats]
    dense: Floats | None
    intercept: Floats

    def scores(self, given: Texts) -> Floats:
        """Texts by classes."""
        out: Floats = self.intercept[None, :].repeat(len(given.texts), axis=0)
        for block, weights in zip(self.blocks, self.weights, strict=True):
            out += block.encode(given.texts).times(weights)
        if self.dense is not None:
            out += EMBEDDING_WEIGHT * given.embedding @ self.dense
        return out

    def arrays(self) -> dict[str, Any]:
        """N-grams and weights."""
        import numpy as np

        out: dict[str, Any] = {"intercept": self.intercept, "blocks": np.array(len(self.blocks))}
        if self.dense is not None:
            out["dense"] = self.dense
        for at, (block, weights) in enumerate(zip(self.blocks, self.weights, strict=True)):
            out |= {f"{at}.{name}": value for name, value in block.arrays().items()}
            out[f"{at}.weights"] = weights.astype(np.float16)
        return out

    @classmethod
    def restore(cls, given: Mapping[str, Any]) -> Linear:
        """From `arrays`."""
        numbers = range(int(given["blocks"]))
        return cls(
            [Ngrams.restore(inside(given, f"{at}.")) for at in numbers],
            [given[f"{at}.weights"].astype("float32") for at in numbers],
            given.get("dense"),
            given["intercept"],
        )


@dataclass(slots=True)
class Telling:
    """Words scaled by how telling they are, times weights."""

    words: Ngrams
    factors: Floats
    weights: Floats
    intercept: Floats

    def scores(self, given: Texts) -> Floats:
        """Texts by classes."""
        return self.words.encode(given.texts).scaled(self.factors).times(self.weights) + self.intercept

    def arrays(self) -> dict[str, Any]:
        """N-grams, factors and weights."""
        import numpy as np

        return {
            **self.words.arrays(),
            "factors": self.factors.astype(np.float16),
            "weights": self.weights.astype(np.float16),
            "intercept": self.intercept,
        }

    @classmethod
    def restore(cls, given: Mapping[str, Any]) -> Telling:
        """From `arrays`."""
        factors, weights = given["factors"].astype("float32"), given["weights"].astype("float32")
        return cls(Ngrams.restore(given), factors, weights, given["intercept"])


@dataclass(slots=True)
class Bayes:
    """Naive Bayes: for each n-gram that occurs, how much likelier it is in a class than elsewhere, as a logarithm."""

    words: Ngrams
    weights: Floats
    intercept: Floats

    def scores(self, given: Texts) -> Floats:
        """Texts by classes."""
        return self.words.encode(given.texts).present().times(self.weights) + self.intercept

    def arrays(self) -> dict[str, Any]:
        """N-grams and weights."""
        return {**self.words.arrays(), "weights": self.weights.astype("float16"), "intercept": self.intercept}

    @classmethod
    def restore(cls, given: Mapping[str, Any]) -> Bayes:
        """From `arrays`."""
        return cls(Ngrams.restore(given), given["weights"].astype("float32"), given["intercept"])


@dataclass(slots=True)
class Tuned:
    """Token vectors after training; a token not seen then keeps its vector in the embedding, times `scale`."""

    numbers: NDArray[Any]
    vectors: Floats
    attention: Floats
    weights: Floats
    intercept: Floats
    scale: float

    def scores(self, given: Texts) -> Floats:
        """Logarithms of probabilities, texts by classes."""
        import numpy as np

        shared = load_embedding().vectors
        counts = np.fromiter(map(len, given.tokens), dtype=np.int64, count=len(given.tokens))
        flat = np.fromiter((t for row in given.tokens for t in row), dtype=np.int64, count=int(counts.sum()))
        pooled = np.zeros((len(counts), shared.shape[1]), dtype=np.float32)
        if flat.size:
            distinct, place = np.unique(flat, return_inverse=True)
            at = np.searchsorted(self.numbers, distinct).clip(max=len(self.numbers) - 1)
            known = self.numbers[at] == distinct
            vectors = np.where(known[:, None], self.vectors[at], shared[distinct] * np.float32(self.scale))
            power = np.exp(np.where(known, self.attention[at], np.float32(0)))
            filled = np.flatnonzero(counts)
            starts = np.concatenate(([0], np.cumsum(counts[filled])[:-1]))
            total = np.add.reduceat((vectors * power[:, None])[place], starts, axis=0)
            pooled[filled] = total / np.add.reduceat(power[place], starts)[:, None]
        return log_softmax(pooled @ self.weights + self.intercept)

    def arrays(self) -> dict[str, Any]:
        """Vectors and weights."""
        import numpy as np

        return {
            "numbers": self.numbers,
            "vectors": self.vectors.astype(np.float16),
            "attention": self.attention,
            "weights": self.weights,
            "intercept": self.intercept,
            "scale": np.array(self.scale),
        }

    @classmethod
    def restore(cls, given: Mapping[str, Any]) -> Tuned:
        """From `arrays`."""
        vectors = given["vectors"].astype("float32")
        rest = (given["attention"], given["weights"], given["intercept"])
        return cls(given["numbers"], vectors, *rest, float(given["scale"]))


class Boosted:
    """XGBoost over the presence of words and, where it was fitted with them, the signs."""

    def __init__(self, words: Ngrams, booster: bytes, signs: bool = False) -> None:
        from ksqlkit.imports import import_xgboost

        self.words, self.signs, self._content = words, signs, booster
        self._xgboost = import_xgboost()
        self._booster = self._xgboost.Booster(model_file=bytearray(booster))
        self._booster.set_param({"nthread": 1})

    def scores(self, given: Texts) -> Floats:
        """Logarithms of probabilities, texts by classes."""
        import numpy as np

        raw = self._booster.predict(self._xgboost.DMatrix(boosted_rows(self.words, given, self.signs)))
        both = np.column_stack((1 - raw, raw)) if raw.ndim == 1 else raw
        found: Floats = np.log(np.maximum(both, 1e-7)).astype(np.float32)
        return found

    def arrays(self) -> dict[str, Any]:
        """N-grams and the booster's own bytes."""
        import numpy as np

        content = np.frombuffer(self._content, dtype=np.uint8)
        return {**self.words.arrays(), "booster": content, "signs": np.array(len(SIGNS) * self.signs)}

    @classmethod
    def restore(cls, given: Mapping[str, Any]) -> Boosted:
        """From `arrays`; raises ValueError for a booster that saw other signs."""
        seen = int(given.get("signs", 0))  # files of before trees saw any do not tell
        if seen not in (0, len(SIGNS)):
            raise ValueError(
                f"fitted to {seen} signs of a text, and now there are {len(SIGNS)}: train it anew"
            )
        return cls(Ngrams.restore(given), given["booster"].tobytes(), seen > 0)


@dataclass(slots=True)
class Mood:
    """A line over the lexicon's score for each class."""

    weights: Floats
    intercept: Floats

    def scores(self, given: Texts) -> Floats:
        """Logarithms of probabilities, texts by classes."""
        return log_softmax(given.mood @ self.weights + self.intercept)

    def arrays(self) -> dict[str, Any]:
        """The lines."""
        return {"weights": self.weights, "intercept": self.intercept}

    @classmethod
    def restore(cls, given: Mapping[str, Any]) -> Mood:
        """From `arrays`."""
        return cls(given["weights"], given["intercept"])


READERS: Final[dict[str, Callable[[Mapping[str, Any]], Member]]] = {
    "linear": Linear.restore,
    "telling": Telling.restore,
    "bayes": Bayes.restore,
    "letters": Linear.restore,
    "tuned": Tuned.restore,
    "tuned_again": Tuned.restore,
    "boosted": Boosted.restore,
    "mood": Mood.restore,
}


def presence(words: Ngrams, texts: Sequence[str]) -> Any:
    """Which n-grams each text has, as a sparse matrix of ones."""
    import numpy as np
    from scipy.sparse import csr_matrix

    found = words.encode(texts)
    starts = np.concatenate(([0], np.cumsum(found.counts)))
    ones = np.ones(len(found.columns), dtype=np.float32)
    return csr_matrix((ones, found.columns, starts), shape=(len(texts), len(words.vocabulary)))


def boosted_rows(words: Ngrams, given: Texts, signs: bool) -> Any:
    """What the trees see of each text, as a sparse matrix."""
    from scipy.sparse import csr_matrix, hstack

    known = presence(words, given.texts)
    return hstack((known, csr_matrix(given.signs))).tocsr() if signs else known


def inside(arrays: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The arrays whose names start with the prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def log_softmax(scores: Floats) -> Floats:
    """Logarithms of probabilities, each row summing to one."""
    import numpy as np

    shifted = scores - scores.max(axis=1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found
