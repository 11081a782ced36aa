"""A trained text classifier: members that vote, and how much each vote counts."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from udf_server.text.members import READERS, Member, Texts, inside, log_softmax

if TYPE_CHECKING:
    from udf_server.text.embedding import Floats

_CHUNK: Final = 1000  # texts at once


@dataclass(slots=True)
class TextClassifier:
    """`shares` is what each member's scores are multiplied by before they are added; `lean` is added to the sums, one
    number per class, and chooses between precision and recall without touching the order of texts within a class."""

    classes: tuple[str, ...]
    members: Mapping[str, Member]
    shares: Mapping[str, float]
    lean: Floats

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Texts by classes, each row summing to one."""
        import numpy as np

        parts = [self._votes(texts[at : at + _CHUNK]) for at in range(0, len(texts), _CHUNK)]
        if not parts:
            return np.zeros((0, len(self.classes)), dtype=np.float32)
        found: Floats = np.exp(log_softmax(np.concatenate(parts)))
        return found

    def labels(self, texts: Sequence[str]) -> list[str]:
        """The likeliest class of each text."""
        return [self.classes[at] for at in self.probabilities(texts).argmax(axis=1).tolist()]

    def _votes(self, texts: Sequence[str]) -> Floats:
        given = Texts(texts)
        votes = [self.shares[name] * member.scores(given) for name, member in self.members.items()]
        total: Floats = sum(votes[1:], start=votes[0]) + self.lean
        return total


def dump(classifier: TextClassifier) -> bytes:
    """As the bytes of an .npz file, without pickle."""
    import numpy as np

    arrays: dict[str, Any] = {"lean": classifier.lean}
    for name, member in classifier.members.items():
        arrays |= {f"{name}:{key}": value for key, value in member.arrays().items()}
    head = orjson.dumps({"classes": classifier.classes, "shares": dict(classifier.shares)})
    arrays["head"] = np.frombuffer(head, dtype=np.uint8)
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return out.getvalue()


def restore(content: bytes) -> TextClassifier:
    """From the bytes of `dump`; raises KeyError or ValueError for others."""
    import numpy as np

    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = dict(file)
    head = orjson.loads(arrays["head"].tobytes())
    members = {name: READERS[name](inside(arrays, f"{name}:")) for name in head["shares"]}
    return TextClassifier(tuple(head["classes"]), members, head["shares"], arrays["lean"])
