"""How a challenger of each kind of model is trained, and what any model loses on rows: the parts of a retraining."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from ksqlkit.errors import DataError
from udf_server.features import FRAUD_FEATURES
from udf_server.frame import WORD, Column, Frame
from udf_server.models.loaded import LoadedModel
from udf_server.models.store import Metadata, ModelStore
from udf_server.tabular import ALGORITHMS, Recipe, reads_as_number, train_tabular
from udf_server.text.model import TextModel
from udf_server.text.training import fit_recipe, train_texts
from udf_server.train_rows import CARD_COLUMNS, card_features, class_names
from udf_server.training import labels_of_two, train_fraud

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from udf_server.retraining import Plan

    Floats = NDArray[np.float64]


class Learner(Protocol):
    """Rows in time order, to be learned up to some row and judged after it. `beside` names models that are trained
    along and go live with it."""

    beside: tuple[str, ...]

    def train(self, end: int, store: ModelStore, promote: bool) -> Metadata:
        """Train on the rows before `end` and publish."""

    def losses(self, model: LoadedModel, start: int, end: int) -> Floats:
        """What a model loses on each of the rows from `start` to `end` that can be judged."""


def learner_for(champion: LoadedModel, plan: Plan, rows: Frame) -> Learner:
    """The learner of the champion's kind; raises DataError for rows or a kind that it cannot learn from."""
    from udf_server.challengers import special_learner  # they build on this module

    metadata = champion.metadata
    have = set(rows.columns)
    features = metadata.features
    cards = tuple(features) == FRAUD_FEATURES and not set(features) <= have and have >= CARD_COLUMNS
    if isinstance(champion, TextModel):
        if plan.text is None:
            raise DataError(f"model {metadata.name} reads text", hint="Name its column by --text.")
        need(metadata.name, {"--label": plan.label, "--text": plan.text}, (), rows)
        return TextLearner(champion, plan, rows)
    if (special := special_learner(champion)) is not None:
        made: Learner = special(champion, plan, rows)
        return made
    if cards:
        need(metadata.name, {"--label": plan.label}, (), rows)
        return CardLearner(champion, plan, rows)
    if (why := never_due(metadata)) is not None:
        raise DataError(f"model {metadata.name} {why[0]}", hint=why[1])
    need(metadata.name, {"--label": plan.label}, {*plan.features, *features}, rows)
    return TableLearner(champion, plan, table_rows(metadata, rows))


def never_due(metadata: Metadata) -> tuple[str, str] | None:
    """Why a model has no challengers, and what to do; None for one that can have some."""
    kept = metadata.training_data
    if str(kept.get("description", "")).startswith("imported from") or metadata.kind in ("onnx", "encoder"):
        return (
            "was made elsewhere and imported: how to train it is not known here, so it has no challengers",
            f"Import the next version: ksqlkit models import FILE --name {metadata.name} --stage",
        )
    if (
        metadata.name.endswith("_kind")
        and metadata.settings.get("task") == "classes"
        and "algorithm" not in kept
    ):
        first = metadata.name.removesuffix("_kind")
        return f"is trained along with {first}", f"Retrain that one: ksqlkit retrain {first}"
    if kept.get("algorithm") in ALGORITHMS or metadata.kind in ("text", "factors", "profile"):
        return None
    if metadata.settings.get("sensors") or "threshold" in kept or tuple(metadata.features) == FRAUD_FEATURES:
        return None
    return (
        "does not say how it was trained, so it has no challengers",
        f"Train the next version by `ksqlkit train {metadata.name}`.",
    )


def need(name: str, options: Mapping[str, str | None], columns: Collection[str], rows: Frame) -> None:
    """Raise DataError for columns that a model is trained by and that are not named, by option, or not there."""
    if unnamed := [option for option, column in options.items() if column is None]:
        raise DataError(
            f"model {name} is trained by {' and '.join(options)}", hint=f"Name {' and '.join(unnamed)}."
        )
    if missing := sorted(c for c in {*options.values(), *columns} if c is not None and c not in rows.columns):
        raise DataError(
            f"there is no column {', '.join(missing)}", hint=f"There are {', '.join(rows.columns) or 'none'}."
        )


def table_rows(metadata: Metadata, rows: Frame) -> Frame:
    """The rows; raises DataError for words where the model learned numbers."""
    for name in metadata.features:
        if rows[name].kind == WORD and not metadata.categories.get(name):
            shown = next((v for v in rows[name] if v is not None and not reads_as_number(v)), None)
            raise DataError(
                f"the column {name} has {str(shown)[:40]!r}; model {metadata.name} learned numbers"
            )
    return rows


def table_matrix(metadata: Metadata, rows: Frame) -> Floats:
    """Rows by the model's features, a word that it has never heard missing."""
    import numpy as np

    return np.column_stack([rows[f].numbers(metadata.categories.get(f, ())) for f in metadata.features])


class TableLearner:
    """Rows of features."""

    beside: tuple[str, ...] = ()

    def __init__(self, champion: LoadedModel, plan: Plan, rows: Frame) -> None:
        metadata = champion.metadata
        self._name, self._description = metadata.name, plan.source[:200]
        self._rows, self._features = rows, plan.features or metadata.features
        self._labels: Column = rows[cast("str", plan.label)]
        algorithm = plan.algorithm or metadata.training_data.get("algorithm", "xgboost")
        self._recipe = Recipe(algorithm, metadata.settings.get("task"), metadata.settings.get("derived", ()))

    def train(self, end: int, store: ModelStore, promote: bool) -> Metadata:
        """As the protocol has it."""
        past = self._rows[:end].only(self._features).columns
        return train_tabular(
            past, self._labels[:end], store, self._name, self._recipe,
            description=self._description, promote=promote,
        )  # fmt: skip

    def losses(self, model: LoadedModel, start: int, end: int) -> Floats:
        """Log loss of classes, squared error of values."""
        metadata = model.metadata
        matrix = table_matrix(metadata, self._rows[start:end])
        labels = self._labels[start:end]
        if metadata.settings.get("task") == "regression":
            error: Floats = (model.predict(matrix) - labels.numbers()) ** 2
            return error
        places = {str(c): at for at, c in enumerate(metadata.classes)}
        at = [places.get(str(v), -1) for v in labels] if places else labels_of_two(labels)
        return log_losses(model.probabilities(matrix), at)


class CardLearner(TableLearner):
    """Card transactions, whose features are windows over what came before."""

    def __init__(self, champion: LoadedModel, plan: Plan, rows: Frame) -> None:
        super().__init__(champion, plan, rows)
        self._rows = card_features(rows)

    def train(self, end: int, store: ModelStore, promote: bool) -> Metadata:
        """As the protocol has it."""
        return train_fraud(
            self._rows[:end].columns, labels_of_two(self._labels[:end]), store,
            name=self._name, description=self._description, promote=promote,
        )  # fmt: skip


class TextLearner:
    """Texts and their labels."""

    beside: tuple[str, ...] = ()

    def __init__(self, champion: TextModel, plan: Plan, rows: Frame) -> None:
        self._name, self._description = champion.metadata.name, plan.source[:200]
        self._recipe = fit_recipe(champion)
        self._texts = ["" if text is None else str(text) for text in rows[cast("str", plan.text)]]
        self._labels = class_names(rows[cast("str", plan.label)])

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
