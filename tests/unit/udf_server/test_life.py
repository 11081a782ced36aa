"""Models of remaining life: what of the sensors is wear, and models that keep to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from udf_server.errors import ModelError
from udf_server.maintenance.life import fit_life, remaining
from udf_server.maintenance.model import LifeModel, along, wear_directions
from udf_server.maintenance.rolling import feature_names, features_of_runs
from udf_server.models.loaded import load_bytes

NAMES = ("HOT", "COLD", "SPEED", "FIXED")


def machines(count: int = 12, seed: int = 3) -> tuple[list[int], np.ndarray]:
    """Runs whose wear moves HOT up and COLD down, three times as clearly; SPEED is noise, FIXED never changes."""
    rng = np.random.default_rng(seed)
    series, parts = [], []
    for unit in range(count):
        life = int(rng.integers(60, 120))
        wear = np.exp(-(life - np.arange(life)) / 20)
        noise = rng.normal(size=(life, 3))
        fixed = np.full(life, 0.1)
        parts.append(
            np.column_stack((4 * wear + noise[:, 0], 7 - 12 * wear + noise[:, 1], noise[:, 2], fixed))
        )
        series += [unit] * life
    return series, np.vstack(parts)


def fitted() -> tuple[LifeModel, np.ndarray]:
    series, sensors = machines()
    model = load_bytes(*fit_life(NAMES, series, sensors, np.array(remaining(series), dtype=float)))
    assert isinstance(model, LifeModel)
    return model, features_of_runs(series, sensors)


def directions(series: list[int], sensors: np.ndarray) -> np.ndarray:
    left = np.array(remaining(series), dtype=float)
    return wear_directions(series, sensors, features_of_runs(series, sensors), left)


def test_wear_is_told_from_noise_in_units_of_noise() -> None:
    series, sensors = machines()
    sensors[:, 0] *= 1000  # another unit
    found = directions(series, sensors)
    assert found.shape == (1, 4)
    hot, cold, speed, fixed = found[0] * np.sign(found[0, 0])
    assert cold / (hot * 1000) == pytest.approx(-3, rel=0.2)
    assert abs(speed) < -cold / 10
    assert fixed == 0


def test_of_two_kinds_of_wear_the_first_direction_tells_the_life() -> None:
    series, sensors = machines(40)
    own = np.random.default_rng(5).normal(0, 9, 40)[
        np.array(series)
    ]  # how each machine was made, not what wears
    sensors[:, 0] += own
    sensors[:, 2] += own
    found = directions(series, sensors)
    assert found.shape == (2, 4)
    assert abs(found[0, 0] + found[0, 2]) < abs(found[0, 1]) / 5


def test_where_no_wear_shows_every_sensor_counts() -> None:
    noise = np.random.default_rng(1).normal(size=(200, 3))
    assert np.array_equal(directions([1] * 200, noise), np.eye(3))
    assert np.array_equal(directions([1] * 10, noise[:10]), np.eye(3))


def test_features_along_a_direction_are_those_of_the_sum() -> None:
    series, sensors = machines(2)
    weights = np.array([[1.0, -2.0, 0.5, 3.0]])
    mixed = features_of_runs(series, sensors @ weights.T)
    assert along(weights, features_of_runs(series, sensors)) == pytest.approx(mixed)
    assert along(np.eye(4), features_of_runs(series, sensors)) == pytest.approx(
        features_of_runs(series, sensors)
    )


def test_answers_do_not_depend_on_the_batch_and_explanations_add_up() -> None:
    model, rows = fitted()
    whole = model.predict(rows)
    assert [model.predict(rows[at : at + 1])[0] for at in (0, 30, 59)] == whole[[0, 30, 59]].tolist()
    parts = model.attributions(rows, exact=True)
    assert parts.shape == rows.shape
    assert (
        np.ptp(whole - parts.sum(axis=1)) < 1e-3
    )  # the same for all: what is said of no machine in particular
    names = feature_names(NAMES)
    total = {name: sum(parts[-1][at] for at, f in enumerate(names) if f.startswith(name)) for name in NAMES}
    assert total["FIXED"] == 0
    assert total["COLD"] < total["HOT"] < 0


def test_a_model_that_does_not_fit_its_sensors_is_refused() -> None:
    model, _ = fitted()
    series, sensors = machines()
    draft, content = fit_life(NAMES, series, sensors, np.array(remaining(series), dtype=float), trees=2)
    narrow = replace(draft, settings={**draft.settings, "directions": [[1.0, 2.0]]})
    with pytest.raises(ModelError, match="do not fit its sensors"):
        load_bytes(narrow, content)
    with pytest.raises(ModelError, match="not classes"):
        model.probabilities(np.zeros((1, 25)))
