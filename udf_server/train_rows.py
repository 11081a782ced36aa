"""Train from rows of any source: what to learn is told by which columns are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ksqlkit.errors import DataError
from udf_server.features import windowed_features
from udf_server.models.store import Metadata, ModelStore, check_name
from udf_server.tabular import Recipe, check_scalars, train_tabular
from udf_server.training import labels_of_two, train_fraud

Rows = Sequence[Mapping[str, Any]]
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
    recipe: Recipe = field(default_factory=Recipe)


def train_rows(rows: Rows, task: Task, store: ModelStore, name: str, description: str = "") -> Metadata:
    """Train on rows in time order and make it live; raises DataError for a task that the rows do not fit."""
    check_name(name)
    if not rows:
        raise DataError("there are no rows to learn from")
    named = (task.label, task.text, task.series, task.user, task.item, task.weight, *task.features)
    have = {column: None for row in rows[:1000] for column in row}
    if missing := sorted({c for c in named if c and c not in have}):
        raise DataError(f"there is no column {', '.join(missing)}", hint=f"There are {', '.join(have)}.")

    def column(which: str, *, numbers: bool = False) -> list[Any]:
        found = [row.get(which) for row in rows]
        if numbers:
            check_scalars(which, found, numbers=True)
        return found

    if task.profile:
        from udf_server.validate.profile import train_profile

        kept = [{k: v for k, v in row.items() if not task.features or k in task.features} for row in rows]
        return train_profile(kept, store, name, description=description)
    if task.user and task.item:
        from udf_server.recommend.factors import train_recommender

        weights = column(task.weight, numbers=True) if task.weight else None
        return train_recommender(
            column(task.user), column(task.item), weights, store, name, description=description
        )
    if task.series:
        from udf_server.maintenance.life import train_life

        sensors = task.features or tuple(c for c in have if c != task.series)
        return train_life(
            column(task.series),
            {s: column(s, numbers=True) for s in sensors},
            store,
            name,
            description=description,
        )
    if not task.label:
        raise DataError(
            "what shall be learned?",
            hint="Name --label, or --series of runs to failure, or --user and --item, or --profile.",
        )
    if task.text:
        from udf_server.text.training import recipe_for, train_texts

        labels = class_names(column(task.label))
        if name == "sentiment":  # it would take over SENTIMENT
            from udf_server.text.model import poles

            poles(name, sorted(set(labels)))
        texts = ["" if v is None else str(v) for v in column(task.text)]
        return train_texts(texts, labels, store, name=name, recipe=recipe_for(name), description=description)
    if not task.features and CARD_COLUMNS.issubset(have):
        for which in ("AMOUNT", "TX_TIME"):
            column(which, numbers=True)
        data = windowed_features(rows)
        return train_fraud(data, labels_of_two(column(task.label)), store, name=name, description=description)
    features = task.features or tuple(c for c in have if c != task.label)
    if task.label in features:
        raise DataError(f"{task.label} is the label and cannot be a feature too")
    if not features:
        raise DataError(f"there is no column but {task.label} to learn from")
    if name == "threat":
        from udf_server.text.model import harmless_class
        from udf_server.threat.training import train_threat

        kinds = class_names(column(task.label))
        return train_threat(
            {f: column(f) for f in features},
            kinds,
            store,
            name=name,
            ordinary=harmless_class(sorted(set(kinds))) or "normal",
            description=description,
        )
    return train_tabular(
        {f: column(f) for f in features},
        column(task.label),
        store,
        name,
        task.recipe,
        description=description,
    )


def class_names(labels: Sequence[Any]) -> list[str]:
    """Labels as text; raises DataError for one that is missing."""
    for row, label in enumerate(labels, 1):
        if label is None:
            raise DataError(f"row {row} has no label", hint="Leave such rows out.")
    return [str(label) for label in labels]
