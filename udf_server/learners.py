"""How a challenger of each kind of model is trained, and what any model loses on rows: the parts of a retraining."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from ksqlkit.errors import DataError
from udf_server.features import FRAUD_FEATURES, windowed_features
from udf_server.models.loaded import LoadedModel
from udf_server.models.store import Metadata, ModelStore
from udf_server.rows import matrix_of
from udf_server.tabular import ALGORITHMS, Recipe, train_tabular
from udf_server.text.model import TextModel
from udf_server.text.training import fit_recipe, train_texts
from udf_server.train_rows import CARD_COLUMNS, class_names
from udf_server.training import labels_of_two, train_fraud

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from udf_server.retraining import Plan

    Floats = NDArray[np.float64]

Rows = Sequence[Mapping[str, Any]]


class Learner(Protocol):
    """Rows in time order, to be learned up to some row and judged after it."""

    def train(self, end: int, store: ModelStore, promote: bool) -> Metadata:
        """Train on the rows before `end` and publish."""

    def losses(self, model: LoadedModel, start: int, end: int) -> Floats:
        """What a model loses on each of the rows from `start` to `end`."""


def learner_for(champion: LoadedModel, plan: Plan, rows: Rows) -> Learner:
    """The learner of the champion's kind; raises DataError for rows or a kind that it cannot learn from."""
    metadata = champion.metadata
    have = list(dict.fromkeys(k for row in rows[:1000] for k in row))
    features = metadata.features
    cards = tuple(features) == FRAUD_FEATURES and not set(features) <= set(have) and set(have) >= CARD_COLUMNS
    if isinstance(champion, TextModel):
        if plan.text is None:
            raise DataError(f"model {metadata.name} reads text", hint="Name its column by --text.")
        _need({plan.label, plan.text}, have)
        return TextLearner(champion, plan, [row.get(plan.text) for row in rows], rows)
    if cards:
        _need({plan.label}, have)
        return CardLearner(champion, plan, rows)
    if metadata.training_data.get("algorithm") not in ALGORITHMS and tuple(features) != FRAUD_FEATURES:
        raise DataError(
            f"model {metadata.name} is of a kind that has no challengers",
            hint=f"Train the next version by `ksqlkit train {metadata.name}`.",
        )
    _need({plan.label, *(plan.features or features), *features}, have)
    return TableLearner(champion, plan, rows)


def _need(wanted: set[str], have: Sequence[str]) -> None:
    if missing := sorted(wanted - set(have)):
        raise DataError(
            f"there is no column {', '.join(missing)}", hint=f"There are {', '.join(have) or 'none'}."
        )


class TableLearner:
    """Rows of features."""

    def __init__(self, champion: LoadedModel, plan: Plan, rows: Rows) -> None:
        metadata = champion.metadata
        self._name, self._description = metadata.name, plan.source[:200]
        self._columns = {f: [row.get(f) for row in rows] for f in plan.features or metadata.features}
        self._seen = {f: [row.get(f) for row in rows] for f in metadata.features}
        self._labels = [row.get(plan.label) for row in rows]
        algorithm = plan.algorithm or metadata.training_data.get("algorithm", "xgboost")
        self._recipe = Recipe(algorithm, metadata.settings.get("task"), metadata.settings.get("derived", ()))

    def train(self, end: int, store: ModelStore, promote: bool) -> Metadata:
        """As the protocol has it."""
        past = {f: c[:end] for f, c in self._columns.items()}
        return train_tabular(
            past, self._labels[:end], store, self._name, self._recipe,
            description=self._description, promote=promote,
        )  # fmt: skip

    def losses(self, model: LoadedModel, start: int, end: int) -> Floats:
        """Log loss of classes, squared error of values."""
        import numpy as np

        metadata = model.metadata
        given = self._seen | self._columns
        matrix = matrix_of(model, [given[f][start:end] for f in metadata.features])
        labels = self._labels[start:end]
        if metadata.settings.get("task") == "regression":
            error: Floats = (model.predict(matrix) - np.asarray(labels, np.float64)) ** 2
            return error
        places = {str(c): at for at, c in enumerate(metadata.classes)}
        at = [places.get(str(v), -1) for v in labels] if places else labels_of_two(labels)
        return log_losses(model.probabilities(matrix), at)


class CardLearner(TableLearner):
    """Card transactions, whose features are windows over what came before."""

    def __init__(self, champion: LoadedModel, plan: Plan, rows: Rows) -> None:
        super().__init__(champion, plan, rows)
        self._columns = self._seen = windowed_features(rows)

    def train(self, end: int, store: ModelStore, promote: bool) -> Metadata:
        """As the protocol has it."""
        return train_fraud(
            {f: c[:end] for f, c in self._columns.items()}, labels_of_two(self._labels[:end]), store,
            name=self._name, description=self._description, promote=promote,
        )  # fmt: skip


class TextLearner:
    """Texts and their labels."""

    def __init__(self, champion: TextModel, plan: Plan, texts: Sequence[Any], rows: Rows) -> None:
        self._name, self._description = champion.metadata.name, plan.source[:200]
        self._recipe = fit_recipe(champion)
        self._texts = ["" if text is None else str(text) for text in texts]
        self._labels = class_names([row.get(plan.label) for row in rows])

    def train(self, end: int, store: ModelStore, promote: bool) -> Metadata:
        """As the protocol has it; a class that came up once only is left for the next time."""
        counts = Counter(self._labels[:end])
        kept = [at for at in range(end) if counts[self._labels[at]] > 1]
        return train_texts(
            [self._texts[at] for at in kept], [self._labels[at] for at in kept], store,
            name=self._name, recipe=self._recipe, promote=promote, description=self._description,
        )  # fmt: skip

    def losses(self, model: LoadedModel, start: int, end: int) -> Floats:
        """Log loss."""
        readable = cast("TextModel", model)
        places = {c: at for at, c in enumerate(readable.classes)}
        chances = readable.of(self._texts[start:end]).astype("float64")
        return log_losses(chances, [places.get(label, -1) for label in self._labels[start:end]])


def log_losses(chances: Floats, truth: Sequence[int]) -> Floats:
    """Of rows by classes and the number of each row's true class; one that the model has never heard of (-1) has, by
    it, no chance at all."""
    import numpy as np

    at = np.asarray(truth, dtype=np.int64)
    right = np.where(at < 0, 0.0, chances[np.arange(len(at)), at])
    lost: Floats = -np.log(np.clip(right, 1e-6, 1.0))
    return lost
