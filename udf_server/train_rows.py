"""Train from rows of any source: what to learn is told by which columns are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ksqlkit.errors import DataError
from udf_server.features import RunningWindows
from udf_server.frame import CHUNK, Column, Frame
from udf_server.models.boosting import free_cores
from udf_server.models.store import Metadata, ModelStore, check_name
from udf_server.tabular import Recipe, check_labels, check_scalars, train_tabular
from udf_server.training import labels_of_two, train_fraud

Rows = Sequence[Mapping[str, Any]]
MANY_ROWS: Final = 100_000  # from which on it pays to start threads
CARD_COLUMNS: Final = frozenset(("CUSTOMER_ID", "TERMINAL_ID", "AMOUNT", "TX_TIME"))


@dataclass(frozen=True, slots=True)
class Task:
    """Columns by their part, in upper case. One of `label`, `series` (runs to failure), `user` and `item` (events), or
    `profile` (good rows) says what is learned; `text` with `label` is a classifier of texts."""

    label: str | None = None
    features: tuple[str, ...] = ()
    text: str | None = None
    series: str | None = None
    user: str | None = None
    item: str | None = None
    weight: str | None = None
    profile: bool = False
    drop: tuple[str, ...] = ()  # columns to be taken for not there
    recipe: Recipe = field(default_factory=Recipe)


def train_rows(rows: Rows, task: Task, store: ModelStore, name: str, description: str = "") -> Metadata:
    """Train on rows in time order and make it live; raises DataError for a task that the rows do not fit."""
    check_name(name)
    if not len(rows):
        raise DataError("there are no rows to learn from")
    frame = Frame.of(rows)
    named = (
        task.label,
        task.text,
        task.series,
        task.user,
        task.item,
        task.weight,
        *task.features,
        *task.drop,
    )
    if missing := sorted({c for c in named if c and c not in frame.columns}):
        raise DataError(
            f"there is no column {', '.join(missing)}", hint=f"There are {', '.join(frame.columns)}."
        )
    frame = without(frame, task)

    def numbers(which: str) -> list[Any]:
        return list(check_scalars(which, frame[which], numbers=True))

    if task.profile:
        from udf_server.validate.profile import train_profile

        kept = frame.only(task.features) if task.features else frame
        return train_profile(kept, store, name, description=description)
    if task.user and task.item:
        from udf_server.recommend.factors import train_recommender

        weights = numbers(task.weight) if task.weight else None
        return train_recommender(
            frame[task.user], frame[task.item], weights, store, name, description=description
        )
    if task.series:
        from udf_server.maintenance.life import train_life

        sensors = task.features or tuple(c for c in frame.columns if c != task.series)
        return train_life(
            list(frame[task.series]), {s: numbers(s) for s in sensors}, store, name, description=description
        )
    if not task.label:
        raise DataError(
            "what shall be learned?",
            hint="Name --label, or --series of runs to failure, or --user and --item, or --profile.",
        )
    if task.text:
        from udf_server.text.training import recipe_for, train_texts

        labels = class_names(frame[task.label])
        if name == "sentiment":  # it would take over SENTIMENT
            from udf_server.text.model import poles

            poles(name, sorted(set(labels)))
        texts = ["" if v is None else str(v) for v in frame[task.text]]
        return train_texts(texts, labels, store, name=name, recipe=recipe_for(name), description=description)
    if card_rows(frame, task):
        for which in ("AMOUNT", "TX_TIME"):
            check_scalars(which, frame[which], numbers=True)
        data = card_features(frame)
        return train_fraud(
            data.columns,
            labels_of_two(frame[task.label]),
            store,
            name=name,
            threads=free_cores() if len(frame) > MANY_ROWS else 1,
            description=description,
        )
    features = feature_names(frame, task)
    if task.label in features:
        raise DataError(f"{task.label} is the label and cannot be a feature too")
    if not features:
        raise DataError(f"there is no column but {task.label} to learn from")
    given = frame.only(features).columns
    if name == "threat":
        from udf_server.text.model import harmless_class
        from udf_server.threat.training import train_threat

        kinds = class_names(frame[task.label])
        return train_threat(
            given,
            kinds,
            store,
            name=name,
            ordinary=harmless_class(sorted(set(kinds))) or "normal",
            description=description,
        )
    return train_tabular(given, frame[task.label], store, name, task.recipe, description=description)


def without(frame: Frame, task: Task) -> Frame:
    """The rows without the columns that the task drops; raises DataError for one that the task names."""
    named = {task.label, task.text, task.series, task.user, task.item, task.weight, *task.features}
    if both := [c for c in task.drop if c in named]:
        raise DataError(f"{', '.join(both)} cannot be left out and be used too")
    return frame.only(c for c in frame.columns if c not in task.drop) if task.drop else frame


def card_rows(frame: Frame, task: Task) -> bool:
    """Whether rows are card transactions, which get windowed features."""
    return not task.features and CARD_COLUMNS.issubset(frame.columns)


def card_features(frame: Frame) -> Frame:
    """The windowed features of card transactions."""
    windows = RunningWindows()
    needed = frame.only(CARD_COLUMNS)
    chunks = (windows.add(needed[at : at + CHUNK]) for at in range(0, len(frame), CHUNK))
    return Frame.join([Frame({n: Column.of(v) for n, v in chunk.items()}) for chunk in chunks])


def feature_names(frame: Frame, task: Task) -> tuple[str, ...]:
    """The columns that a model of a table learns from."""
    return task.features or tuple(c for c in frame.columns if c != task.label)


def class_names(labels: Sequence[Any]) -> list[str]:
    """Labels as text; raises DataError where some are missing."""
    column = Column.of(labels)
    check_labels(column)
    return [str(label) for label in column]
