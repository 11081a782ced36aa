"""A text classifier out of the registry, as models are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from udf_server.errors import ModelError
from udf_server.text.classifier import TextClassifier, restore

if TYPE_CHECKING:
    from udf_server.models.live import LiveModels
    from udf_server.models.store import Metadata
    from udf_server.text.embedding import Floats

# What trained models call a text that none of their other classes is about.
HARMLESS = frozenset(
    ("neither", "none", "normal", "norm", "ok", "safe", "clean", "benign", "neutral", "other", "0")
)

_GOOD = frozenset(("positive", "pos", "1", "good", "favorable"))
_BAD = frozenset(("negative", "neg", "0", "-1", "bad", "unfavorable"))


class TextModel:
    """Text in, a probability for each class out. It has no matrix of features, so PREDICT and EXPLAIN refuse it."""

    def __init__(self, metadata: Metadata, content: bytes) -> None:
        self.metadata = metadata
        self.classifier: TextClassifier = restore(content)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, in the order of the probabilities."""
        return self.classifier.classes

    def of(self, texts: Sequence[str]) -> Floats:
        """Texts by classes, each row summing to one."""
        return self.classifier.probabilities(texts)

    def predict(self, matrix: object) -> NoReturn:
        """Raises ModelError: there are no features to predict from."""
        del matrix
        raise ModelError(
            f"model {self.metadata.name!r} reads text: use CLASSIFY('{self.metadata.name}', text)"
        )

    def probabilities(self, matrix: object) -> NoReturn:
        """Raises ModelError, as `predict` does."""
        self.predict(matrix)

    def attributions(self, matrix: object, exact: bool = False) -> NoReturn:
        """Raises ModelError, as `predict` does."""
        del exact
        self.predict(matrix)


def text_model(models: LiveModels, name: str) -> TextModel:
    """The live text classifier of that name; raises ModelError when there is none or it is of another kind."""
    found = models.get(name)
    if not isinstance(found, TextModel):
        raise ModelError(f"model {name!r} is of kind {found.metadata.kind!r}, which does not read text")
    return found


def optional_text_model(models: LiveModels, name: str) -> TextModel | None:
    """The live text classifier of that name, None when no such model was ever trained."""
    return None if models.serving(name) is None else text_model(models, name)


def harmless_class(classes: Sequence[str]) -> str | None:
    """The class that stands for 'nothing found', if the model has one."""
    return next((c for c in classes if c.lower() in HARMLESS), None)


def poles(name: str, classes: Sequence[str]) -> tuple[int, int]:
    """Where a model of mood has its positive and its negative class; raises ModelError for one without."""
    names = [c.lower() for c in classes]
    good = next((i for i, n in enumerate(names) if n in _GOOD), None)
    bad = next((i for i, n in enumerate(names) if n in _BAD), None)
    if good is None or bad is None:
        raise ModelError(
            f"model {name!r} must have the classes positive and negative; it has {', '.join(classes)}"
        )
    return good, bad
