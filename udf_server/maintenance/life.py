"""Remaining life: training on runs to failure, and scoring of runs under way."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from ksqlkit.errors import DataError
from ksqlkit.imports import import_xgboost
from udf_server.function import RowError
from udf_server.maintenance.model import along, wear_directions
from udf_server.maintenance.rolling import Run, feature_names, features_of_runs
from udf_server.memory.packing import pack, unpack
from udf_server.memory.protocol import Memory, Space
from udf_server.models.loaded import LoadedModel, load_bytes
from udf_server.models.store import Metadata, ModelStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SPACE: Final = "life"
CAP: Final = 125  # rows: what is further away does not show in the sensors yet (Heimes 2008)
_LAST_ANSWERS: Final = 256  # of a series, for rows that come again
_PARAMETERS: Final = {
    "objective": "reg:squarederror",
    "tree_method": "hist",
    "max_bin": 64,
    "max_depth": 5,
    "eta": 0.05,
    "subsample": 0.7,
    "colsample_bytree": 0.8,
    "nthread": 1,
}
_LEAVES: Final = 250  # a leaf has at least this part of the rows, within what is sound

Row = tuple[str, int, Sequence[float | None]]


def remaining(series: Sequence[Any]) -> list[int]:
    """Rows left after each row of runs to failure, from the series' names in time order."""
    left = Counter(series)
    out = []
    for name in series:
        left[name] -= 1
        out.append(left[name])
    return out


def fit_life(
    names: Sequence[str],
    series: Sequence[Any],
    sensors: Floats,
    left: Floats,
    trees: int = 300,
    seed: int = 7,
) -> tuple[Metadata, bytes]:
    """A model of the remaining life, capped, as `load_bytes` takes it. `sensors` is rows by named sensors, each run in
    time order."""
    import numpy as np

    xgboost = import_xgboost()
    features = features_of_runs(series, sensors)
    capped = np.minimum(left, CAP)
    directions = wear_directions(series, sensors, features, capped)
    parameters = {**_PARAMETERS, "seed": seed, "min_child_weight": min(max(len(left) // _LEAVES, 5), 60)}
    data = xgboost.DMatrix(along(directions, features), capped)
    draft = Metadata(
        name="",
        version=0,
        kind="life",
        file="model.ubj",
        sha256="",
        features=feature_names(names),
        settings={
            "task": "regression",
            "sensors": list(names),
            "cap": CAP,
            "directions": directions.tolist(),
        },
    )
    return draft, bytes(xgboost.train(parameters, data, trees).save_raw("ubj"))


def train_life(
    series: Sequence[Any],
    sensors: dict[str, Sequence[float]],
    store: ModelStore,
    name: str = "remaining-life",
    *,
    trees: int = 300,
    promote: bool = True,
    description: str = "",
) -> Metadata:
    """Train on whole runs to failure and publish; every fifth run is held out for the metrics, then all are fitted.
    Raises DataError for fewer than ten runs or a sensor without a value."""
    import numpy as np

    runs = list(dict.fromkeys(series))
    matrix = np.array(list(sensors.values()), dtype=np.float64).T
    if len(runs) < 10:
        raise DataError(f"{len(runs)} runs to failure are too few to learn from", hint="Give at least 10.")
    if not np.isfinite(matrix).all():
        raise DataError("a sensor has rows without a number", hint="Fill them in, or leave the sensor out.")
    left = np.array(remaining(series), dtype=np.float64)
    held = np.isin(np.array([runs.index(s) for s in series]) % 5, (4,))
    kept = [s for s, h in zip(series, held, strict=True) if not h]
    names = list(sensors)
    trial = load_bytes(*fit_life(names, kept, matrix[~held], left[~held], trees))
    tested = [s for s, h in zip(series, held, strict=True) if h]
    error = trial.predict(features_of_runs(tested, matrix[held])) - np.minimum(left[held], CAP)
    draft, content = fit_life(names, series, matrix, left, trees)
    return store.publish(
        name,
        content,
        kind=draft.kind,
        file=draft.file,
        features=draft.features,
        settings=draft.settings,
        metrics={"rmse": float((error**2).mean() ** 0.5), "mae": float(np.abs(error).mean())},
        training_data={"description": description, "rows": len(left), "runs": len(runs)},
        promote=promote,
    )


def score_life(
    memory: Memory, model: LoadedModel, rows: Sequence[Row], explain: bool = False
) -> list[float | dict[str, float] | RowError | None]:
    """The remaining life after each row (series, time, sensors), or with `explain` what each sensor adds to it. A row
    at a time that was answered is answered again; an older one is an error."""
    import numpy as np

    sensors = model.metadata.settings.get("sensors")
    if not sensors:
        raise RowError(f"model {model.metadata.name} is not one of remaining life", "UNAVAILABLE")
    out: list[float | dict[str, float] | RowError | None] = [None] * len(rows)
    asked: list[tuple[int, Floats]] = []
    with memory.transaction(SPACE) as space:
        runs: dict[str, _Machine] = {}
        for at, (name, time, given) in enumerate(rows):
            error = _refusal(sensors, given)
            if error is not None:
                out[at] = error
                continue
            if name not in runs:
                runs[name] = _Machine(space, name, len(sensors))
            features = runs[name].features(time, [float(v) for v in given if v is not None])
            if features is None:
                out[at] = RowError(f"the row's time is before the latest of series {name[:40]!r}")
            else:
                asked.append((at, features))
        for name, machine in runs.items():
            if machine.changed:
                space.put(name, machine.packed())
    if asked:
        matrix = np.stack([f for _, f in asked])
        if explain:
            for (at, _), found in zip(asked, model.attributions(matrix), strict=True):
                out[at] = _by_sensor(sensors, found)
        else:
            for (at, _), value in zip(asked, model.predict(matrix), strict=True):
                out[at] = max(float(value), 0.0)
    return out


class _Machine:
    """A run under way and the features of its latest rows."""

    def __init__(self, space: Space, name: str, width: int) -> None:
        content = space.get(name)
        state = unpack(content) if content is not None else {}
        known = bool(state) and len(state["first"]) == width  # another model's sensors: start anew
        self._run = Run.of_state(state) if known else Run(width)
        self._times: list[int] = state["times"] if known else []
        self._answers: list[Floats] = list(state["answers"]) if known else []
        self.changed = False

    def features(self, time: int, sensors: Sequence[float]) -> Floats | None:
        """Of the run up to that time; None for a time that is past and not remembered."""
        if self._times and time <= self._times[-1]:
            return self._answers[self._times.index(time)] if time in self._times else None
        found = self._run.add(sensors)
        self._times = [*self._times, time][-_LAST_ANSWERS:]
        self._answers = [*self._answers, found][-_LAST_ANSWERS:]
        self.changed = True
        return found

    def packed(self) -> bytes:
        """For the memory."""
        import numpy as np

        return pack({**self._run.state(), "times": self._times, "answers": np.stack(self._answers)})


def _refusal(sensors: Sequence[str], given: Sequence[float | None]) -> RowError | None:
    if len(given) != len(sensors):
        return RowError(f"the model takes {len(sensors)} sensors ({', '.join(sensors)}), not {len(given)}")
    if any(v is None or not math.isfinite(v) for v in given):
        return RowError("a sensor is NULL, NaN or infinite; give its last known value")
    return None


def _by_sensor(sensors: Sequence[str], found: Floats) -> dict[str, float]:
    """The contributions of a row's features, summed by sensor; ROWS is how long the run has been."""
    by_kind = found[1:].reshape(-1, len(sensors)).sum(axis=0)
    return {"ROWS": float(found[0]), **dict(zip(sensors, by_kind.tolist(), strict=True))}
