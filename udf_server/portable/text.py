"""A text classifier of character n-grams alone, such as that of payloads: float32 throughout, in numpy's own order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from udf_server.portable.document import VECTORS, NotPortable, packed
from udf_server.text.classifier import TextClassifier, restore
from udf_server.text.members import Linear
from udf_server.text.ngrams import MAX_CHARACTERS, Ngrams

if TYPE_CHECKING:
    from udf_server.models.store import Metadata

LAST_LETTER: Final = 0x24F  # of Latin: past it, languages' libraries may differ in what is lower case
MOST_TIMES: Final = 1000  # that one n-gram may come in a text


def read(metadata: Metadata, content: bytes) -> dict[str, Any]:
    """Its document. Raises NotPortable for members that others could not compute to the same bits."""
    import numpy as np

    classifier = restore(content)
    member, block = _only_member(metadata, classifier)
    [(name, share)] = classifier.shares.items()
    texts = _vector_texts(list(block.vocabulary))
    votes = classifier.shares[name] * classifier.members[name].scores(_given(texts)) + classifier.lean
    times = np.arange(1, MOST_TIMES + 1, dtype=np.float32)
    return {
        "classes": list(classifier.classes),
        "text": {
            "low": block.kind.low,
            "high": block.kind.high,
            "longest": MAX_CHARACTERS,
            "last_letter": LAST_LETTER,
            "vocabulary": list(block.vocabulary),
            "rarity": packed(block.rarity, "<f4"),
            "damped": packed(1 + np.log(times), "<f4"),
            "weights": packed(member.weights[0], "<f4"),
            "intercept": packed(member.intercept, "<f4"),
            "share": packed([share], "<f4"),
            "lean": packed(classifier.lean, "<f4"),
        },
        "vectors": {
            "texts": texts,
            "margins": packed(votes, "<f8"),
            "values": packed(classifier.probabilities(texts), "<f8"),
        },
    }


def _given(texts: list[str]) -> Any:
    from udf_server.text.members import Texts

    return Texts(texts)


def _only_member(metadata: Metadata, classifier: TextClassifier) -> tuple[Linear, Ngrams]:
    import numpy as np

    members = list(classifier.members.values())
    if len(members) == 1 and isinstance(found := members[0], Linear) and found.dense is None:
        floats = {a.dtype for a in (*found.weights, found.intercept, classifier.lean)}
        kind = found.blocks[0].kind
        if len(found.blocks) == 1 and kind.unit == "char" and not kind.inside and floats == {np.dtype("f4")}:
            return found, found.blocks[0]
    raise NotPortable(
        f"text model {metadata.name} votes by {', '.join(classifier.members)}; "
        "walked elsewhere can be character n-grams alone"
    )


def _vector_texts(known: list[str]) -> list[str]:
    """Texts of known n-grams and of all letters, long ones, short ones and none."""
    import numpy as np

    random = np.random.default_rng(7)
    latin = [gram for gram in known if all(ord(c) <= LAST_LETTER for c in gram)] or ["a"]
    texts = [
        "",
        "a",
        "".join(map(chr, range(1, LAST_LETTER + 1))),
        latin[0] * 300,
        latin[-1] * MAX_CHARACTERS,
    ]
    texts += ["".join(random.choice(latin, count)) for count in random.integers(1, 120, VECTORS - len(texts))]
    return [text.upper() if at % 5 == 4 and text.upper().isascii() else text for at, text in enumerate(texts)]
