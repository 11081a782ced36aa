"""Challengers of the models that are no plain tables: attacks, remaining life, recommendations and profiles."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from udf_server.frame import OTHER, WORD, Column, Frame
from udf_server.learners import log_losses, need, table_matrix, table_rows
from udf_server.maintenance.life import CAP, remaining, train_life
from udf_server.maintenance.rolling import features_of_runs
from udf_server.models.loaded import LoadedModel
from udf_server.models.store import Metadata, ModelStore
from udf_server.recommend.factors import FactorModel, train_recommender
from udf_server.tabular import check_scalars
from udf_server.text.model import harmless_class
from udf_server.threat.training import train_threat
from udf_server.train_rows import class_names
from udf_server.validate.profile import ProfileModel, train_profile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from udf_server.retraining import Plan

    Floats = NDArray[np.float64]

JUDGED: Final = 3000  # events of a fold that are ranked, evenly over it


class ThreatLearner:
    """Connections and what kind of attack they were, for THREAT_SCORE."""

    def __init__(self, champion: LoadedModel, plan: Plan, rows: Frame) -> None:
        metadata = champion.metadata
        features = plan.features or metadata.features
        need(metadata.name, {"--label": plan.label}, {*features, *metadata.features}, rows)
        self.beside = (f"{metadata.name}_kind",)
        self._name, self._description = metadata.name, plan.source[:200]
        self._rows, self._features = table_rows(metadata, rows), features
        self._kinds = class_names(rows[cast("str", plan.label)])
        self._ordinary = harmless_class(sorted(set(self._kinds))) or "normal"

    def train(self, end: int, store: ModelStore, promote: bool) -> Metadata:
        """As the protocol has it."""
        past = self._rows[:end].only(self._features).columns
        return train_threat(
            past, self._kinds[:end], store,
            name=self._name, ordinary=self._ordinary, description=self._description, promote=promote,
        )  # fmt: skip

    def losses(self, model: LoadedModel, start: int, end: int) -> Floats:
        """Log loss of attack or not."""
        chances = model.probabilities(table_matrix(model.metadata, self._rows[start:end]))
        return log_losses(chances, [int(kind != self._ordinary) for kind in self._kinds[start:end]])


class LifeLearner:
    """Runs to failure, for REMAINING_LIFE. What is learned are the runs that were over before a row."""

    beside: tuple[str, ...] = ()

    def __init__(self, champion: LoadedModel, plan: Plan, rows: Frame) -> None:
        import numpy as np

        metadata = champion.metadata
        self._sensors: tuple[str, ...] = tuple(metadata.settings["sensors"])
        need(metadata.name, {"--series": plan.series}, self._sensors, rows)
        self._name, self._description = metadata.name, plan.source[:200]
        self._series = list(rows[cast("str", plan.series)])
        columns = [check_scalars(s, rows[s], numbers=True).numbers() for s in self._sensors]
        self._matrix = np.column_stack(columns)
        self._features = features_of_runs(self._series, self._matrix)
        self._left = np.minimum(np.array(remaining(self._series), dtype=np.float64), CAP)
        last = {name: at for at, name in enumerate(self._series)}
        self._over = np.array([last[name] for name in self._series])

    def train(self, end: int, store: ModelStore, promote: bool) -> Metadata:
        """As the protocol has it."""
        import numpy as np

        rows = np.flatnonzero(self._over < end)
        sensors = {s: self._matrix[rows, at].tolist() for at, s in enumerate(self._sensors)}
        return train_life(
            [self._series[at] for at in rows], sensors, store, self._name,
            promote=promote, description=self._description,
        )  # fmt: skip

    def losses(self, model: LoadedModel, start: int, end: int) -> Floats:
        """Squared error of the rows left, as far as they are told apart."""
        error: Floats = (model.predict(self._features[start:end]) - self._left[start:end]) ** 2
        return error


class EventLearner:
    """Who had what, for RECOMMEND."""

    beside: tuple[str, ...] = ()

    def __init__(self, champion: LoadedModel, plan: Plan, rows: Frame) -> None:
        options = {"--user": plan.user, "--item": plan.item}
        need(champion.metadata.name, options, [plan.weight] if plan.weight else (), rows)
        self._name, self._description = champion.metadata.name, plan.source[:200]
        user, item = cast("str", plan.user), cast("str", plan.item)
        weights = list(check_scalars(plan.weight, rows[plan.weight], numbers=True)) if plan.weight else None
        self._users, self._items = list(rows[user]), list(rows[item])
        self._weights = weights

    def train(self, end: int, store: ModelStore, promote: bool) -> Metadata:
        """As the protocol has it."""
        weights = self._weights[:end] if self._weights else None
        return train_recommender(
            self._users[:end], self._items[:end], weights, store, self._name,
            promote=promote, description=self._description,
        )  # fmt: skip

    def losses(self, model: LoadedModel, start: int, end: int) -> Floats:
        """One less the discounted gain of each item that is new to its user: 0 where it stands first of all that the
        user did not have before `start`, 1 where the model does not know it."""
        import numpy as np

        ranking = cast("FactorModel", model)
        had: dict[str, set[str]] = defaultdict(set)
        for user, item in zip(self._users[:start], self._items[:start], strict=True):
            had[str(user)].add(str(item))
        fold = [(str(u), str(i)) for u, i in zip(self._users[start:end], self._items[start:end], strict=True)]
        fresh = [(u, i) for u, i in fold if i not in had[u]]
        judged = fresh[:: max(1, math.ceil(len(fresh) / JUDGED))]
        ranks = [ranking.rank(user, item, had[user]) for user, item in judged]
        return np.array([1.0 if rank is None else 1.0 - 1.0 / math.log2(1 + rank) for rank in ranks])


class ProfileLearner:
    """Good rows, for VALIDATE. A profile loses where it finds fault with a good row, and where it passes one that was
    broken on purpose."""

    beside: tuple[str, ...] = ()

    def __init__(self, champion: LoadedModel, plan: Plan, rows: Frame) -> None:
        features = plan.features or champion.metadata.features
        need(champion.metadata.name, {}, features, rows)
        self._name, self._description = champion.metadata.name, plan.source[:200]
        self._rows = rows.only(features)
        self._spread = {n: _spread(c) for n, c in self._rows.columns.items() if c.kind not in (WORD, OTHER)}

    def train(self, end: int, store: ModelStore, promote: bool) -> Metadata:
        """As the protocol has it."""
        return train_profile(
            self._rows[:end], store, self._name, promote=promote, description=self._description
        )

    def losses(self, model: LoadedModel, start: int, end: int) -> Floats:
        """0, a half or 1 a row: the mean of the two mistakes."""
        import numpy as np

        profile = cast("ProfileModel", model).profile
        return np.array(
            [
                (bool(profile.problems(row)) + (not profile.problems(self.broken(row, at)))) / 2
                for at, row in enumerate(self._rows[start:end], start)
            ]
        )

    def broken(self, row: Mapping[str, Any], number: int) -> dict[str, Any]:
        """A row with one value lost, of another kind, or far from all others; the same for the same number."""
        chance = random.Random(number)
        there = [name for name, value in row.items() if value is not None]
        if not there:
            return {**row, "?": 1}
        name = chance.choice(there)
        value = row[name]
        far: Any = f"{value} ?!"
        if isinstance(value, int | float) and not isinstance(value, bool):
            far = value + chance.choice((-1.0, 1.0)) * self._spread.get(name, 1.0)
        other: Any = 12_345.5 if isinstance(value, str | bool) else "n/a"
        return {**row, name: chance.choice((None, other, far))}


def _spread(column: Column) -> float:
    """Ten times the width of a column's values."""
    import numpy as np

    values = column.numbers()
    there = values[~np.isnan(values)]
    return 10.0 * float(np.ptp(there)) + 1.0 if len(there) else 1.0


def special_learner(champion: LoadedModel) -> type[Any] | None:
    """The learner of a champion that is no plain table, or None."""
    metadata = champion.metadata
    if isinstance(champion, FactorModel):
        return EventLearner
    if isinstance(champion, ProfileModel):
        return ProfileLearner
    if metadata.settings.get("sensors"):
        return LifeLearner
    return ThreatLearner if "threshold" in metadata.training_data else None
