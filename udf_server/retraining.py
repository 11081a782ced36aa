"""A challenger for a model that serves: trained like it on newer rows, promoted only when a paired test says so."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import orjson

from ksqlkit.errors import DataError
from ksqlkit.files import write_whole
from udf_server.drift.watch import is_drifting
from udf_server.errors import ModelError
from udf_server.frame import Frame
from udf_server.learners import learner_for, never_due
from udf_server.models.loaded import load
from udf_server.models.store import ModelStore
from udf_server.tabular import ALGORITHMS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FOLDS: Final = 4
FIRST_ORIGIN: Final = 0.6  # of the rows, before which nothing is compared
LEVEL: Final = 0.05
_BLOCKS: Final = 48  # of consecutive rows, taken for independent of each other
_FLIPS: Final = 10_000
_PLAN: Final = "retrain.json"
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model is trained again: rows from a file or query in time order, every so many days; `last` in seconds
    since the epoch. The columns are those that `ksqlkit train` was told for such a model."""

    source: str
    label: str | None = None
    features: tuple[str, ...] = ()
    algorithm: str | None = None  # by default that of the live version
    every_days: float = 7.0
    last: float = 0.0
    text: str | None = None
    series: str | None = None
    user: str | None = None
    item: str | None = None
    weight: str | None = None

    def due(self, now: float) -> bool:
        """Whether its time has come."""
        return now - self.last >= self.every_days * _DAY


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a challenge: mean losses over the same rows, none of which the challenger had learned, and the
    one-sided probability that it is no better."""

    model: str
    champion: int
    challenger: int
    champion_loss: float
    challenger_loss: float
    p: float
    promoted: bool


def read_plan(store: ModelStore, name: str) -> Plan | None:
    """The plan of a model, or None; raises ModelError for a malformed one."""
    path = store.root / name / _PLAN
    try:
        raw = orjson.loads(path.read_bytes())
        return Plan(**{**raw, "features": tuple(raw["features"])})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is malformed: {error}") from error


def write_plan(store: ModelStore, name: str, plan: Plan) -> None:
    """Keep a plan beside its model."""
    if plan.algorithm not in (None, *ALGORITHMS):
        raise DataError(f"there is no algorithm {plan.algorithm}", hint=f"Known: {', '.join(ALGORITHMS)}.")
    write_whole(store.root / name / _PLAN, orjson.dumps(asdict(plan), option=orjson.OPT_INDENT_2))


def due_models(store: ModelStore, now: float | None = None) -> list[str]:
    """Models with a plan whose time has come, or of which a drift alert lasts."""
    at = time.time() if now is None else now
    plans = {name: read_plan(store, name) for name in store.names()}
    return [
        n for n, plan in plans.items() if plan and (plan.due(at) or is_drifting(store.root, n, store.live(n)))
    ]


def unplanned(store: ModelStore) -> dict[str, str]:
    """Models that are never due, and why."""
    found = {}
    for name in store.names():
        if read_plan(store, name) is None:
            try:
                why = never_due(store.metadata(name, store.live(name)))
            except ModelError as error:
                found[name] = f"cannot be read: {error}"
                continue
            found[name] = why[0] if why else "has no plan; give it one: ksqlkit retrain NAME --from ..."
    return found


def challenge(store: ModelStore, name: str, plan: Plan, rows: Sequence[Mapping[str, Any]]) -> Trial:
    """Train on a rolling origin, compare each fold with the live version, publish a challenger trained on all rows, and
    promote it if it is better at the 5 % level; the champion stays for rollback. Raises DataError, ModelError."""
    import numpy as np

    rows = Frame.of(rows)
    champion = load(store, name, store.live(name))
    learner = learner_for(champion, plan, rows)
    edges = np.linspace(FIRST_ORIGIN * len(rows), len(rows), FOLDS + 1).astype(int).tolist()
    losses: tuple[list[Floats], list[Floats]] = ([], [])
    with TemporaryDirectory() as folder:
        trials = ModelStore(Path(folder))
        for start, end in pairwise(edges):
            fresh = load(trials, name, learner.train(start, trials, True).version)
            losses[0].append(learner.losses(champion, start, end))
            losses[1].append(learner.losses(fresh, start, end))
    ours, theirs = np.concatenate(losses[0]), np.concatenate(losses[1])
    if not len(ours):
        raise DataError("none of the later rows can be judged", hint="Give more rows.")
    p = paired_p(ours - theirs)
    made = learner.train(len(rows), store, False)
    if p < LEVEL:
        store.promote(name, made.version)
        for beside in learner.beside:
            if versions := store.versions(beside):
                store.promote(beside, versions[-1])
    version = champion.metadata.version
    return Trial(name, version, made.version, float(ours.mean()), float(theirs.mean()), p, p < LEVEL)


def paired_p(gains: Floats, blocks: int = _BLOCKS, seed: int = 7) -> float:
    """The probability of a mean gain as large as this if signs fell by chance, by flipping those of whole blocks of
    consecutive rows, as neighbours are alike."""
    import numpy as np

    means = np.array([part.mean() for part in np.array_split(gains, min(blocks, len(gains)))])
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), (_FLIPS, len(means)))
    at_least = int(((signs * means).mean(axis=1) >= means.mean()).sum())
    return (1 + at_least) / (1 + _FLIPS)
