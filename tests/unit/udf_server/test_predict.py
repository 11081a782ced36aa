from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ksqlkit.errors import DataError
from tests.support.scoring import ask
from udf_server.models.explain import shapley
from udf_server.models.live import LiveModels
from udf_server.models.loaded import load
from udf_server.models.store import ModelStore
from udf_server.tabular import Recipe, best_threshold, train_tabular


def rows(count: int = 600, seed: int = 4) -> tuple[dict[str, list[Any]], list[int]]:
    """Fails when heat times load is high, and more often for brand b."""
    rnd = random.Random(seed)
    columns: dict[str, list[Any]] = {"HEAT": [], "LOAD": [], "BRAND": []}
    labels = []
    for _ in range(count):
        heat, load_, brand = rnd.uniform(0, 10), rnd.uniform(0, 10), rnd.choice(["a", "b"])
        columns["HEAT"].append(heat)
        columns["LOAD"].append(load_)
        columns["BRAND"].append(brand)
        labels.append(int(heat * load_ > (35 if brand == "a" else 25)))
    return columns, labels


@pytest.mark.parametrize("algorithm", ["xgboost", "linear", "tree", "forest", "blend"])
def test_every_algorithm_learns_and_answers_as_trained(tmp_path: Path, algorithm: str) -> None:
    columns, labels = rows()
    store = ModelStore(tmp_path)
    made = train_tabular(columns, labels, store, "risk", Recipe(algorithm, trees=30))
    assert made.metrics["auc"] > 0.9
    [answer] = ask(
        tmp_path, ("PREDICT", [["risk", {"heat": 9.5, "load": 9.5}], ["risk", {"heat": 0.5, "load": 0.5}]])
    )
    high, low = answer.values
    assert high > 0.8 > 0.2 > low


def test_the_forest_answers_as_scikit_learn_does(tmp_path: Path) -> None:
    from sklearn.ensemble import RandomForestRegressor

    columns, _ = rows(300)
    values = [math.sin(h) * w for h, w in zip(columns["HEAT"], columns["LOAD"], strict=True)]
    matrix = np.array([columns["HEAT"], columns["LOAD"]]).T
    recipe = Recipe("forest", "regression", trees=20)
    train_tabular({k: columns[k] for k in ("HEAT", "LOAD")}, values, ModelStore(tmp_path), "f", recipe)
    fitted = RandomForestRegressor(20, max_features=0.6, random_state=7).fit(matrix[:210], values[:210])
    found = LiveModels(ModelStore(tmp_path)).get("f").predict(matrix)
    assert found == pytest.approx(fitted.predict(matrix), abs=1e-12)


@pytest.mark.parametrize(
    ("algorithm", "formulas"), [("xgboost", ["HEAT*LOAD"]), ("forest", []), ("linear", [])]
)
def test_contributions_add_up(tmp_path: Path, algorithm: str, formulas: list[str]) -> None:
    columns, labels = rows(200)
    numbers = {k: columns[k] for k in ("HEAT", "LOAD")}
    store = ModelStore(tmp_path)
    train_tabular(numbers, labels, store, "m", Recipe(algorithm, formulas=formulas, trees=10))
    model = load(store, "m", 1)
    matrix = np.array([[1.0, 2.0], [9.0, 8.0], [5.0, 5.0]])
    for exact in (False, True):
        total = model.attributions(matrix, exact=exact).sum(axis=1)
        raw = model.predict(matrix)
        assert (np.argsort(total) == np.argsort(raw)).all()
    if algorithm == "xgboost":  # differences of margins do not depend on the expected value
        margin = model.attributions(matrix, exact=True).sum(axis=1)
        slope = model.metadata.calibration.get("slope", 1.0)
        odds = np.log(raw / (1 - raw)) / slope
        assert margin - margin[0] == pytest.approx(odds - odds[0], abs=1e-4)


def test_shapley_of_a_known_game() -> None:
    found = shapley(lambda x: x[:, 0] * x[:, 1] + 2 * x[:, 2], np.array([[2.0, 3.0, 5.0]]), np.zeros(3))
    assert found.tolist() == [[3.0, 3.0, 10.0]]


def test_several_classes_versions_and_labels(tmp_path: Path) -> None:
    rnd = random.Random(2)
    x = [rnd.uniform(0, 3) for _ in range(300)]
    labels = ["low" if v < 1 else "mid" if v < 2 else "top" for v in x]
    store = ModelStore(tmp_path)
    for _ in range(2):
        train_tabular({"X": x}, labels, store, "size", Recipe(trees=20))
    ask_rows = [
        ["size", 0.3],
        ["size@1", 1.5],
        ["size", 2.7],
        ["size@9", 1.0],
        ["none", 1.0],
        ["size@x", 1.0],
    ]
    label, chances, number = ask(
        tmp_path, ("PREDICT_LABEL", ask_rows), ("PREDICT_PROBA", ask_rows), ("PREDICT", ask_rows)
    )
    assert label.values[:3] == ["low", "mid", "top"]
    assert number.values[:3] == [0.0, 1.0, 2.0]
    assert sum(chances.values[0].values()) == pytest.approx(1.0, abs=1e-5)
    assert [r for r, _, _ in label.errors] == [3, 4, 5]
    assert "no version 9" in label.errors[0][2]


def test_the_detail_form_names_the_model_and_version_of_each_row(tmp_path: Path) -> None:
    columns, labels = rows(200)
    store = ModelStore(tmp_path)
    for name in ("risk", "risk", "other"):
        train_tabular(columns, labels, store, name, Recipe("linear"))
    asked = ["risk", "risk@1", "other", "nope", "risk@9", None]
    [answer] = ask(tmp_path, ("PREDICT_DETAIL", [[name, {"heat": 1.0}] for name in asked]))
    named = [(v["MODEL"], v["VERSION"], v["STATUS"]) for v in answer.values]
    assert named[:3] == [("risk", 2, "OK"), ("risk", 1, "OK"), ("other", 1, "OK")]
    assert named[3:] == [(None, 1, "INVALID_INPUT")] * 3


def test_explain_on_request_exactly_and_by_struct(tmp_path: Path) -> None:
    columns, labels = rows(300)
    train_tabular(columns, labels, ModelStore(tmp_path), "risk", Recipe(trees=30))
    row = {"HEAT": 9.0, "LOAD": 9.0, "BRAND": "b"}
    quick, exact = ask(
        tmp_path, ("EXPLAIN", [["risk", row]]), ("EXPLAIN", [["risk", row, True], ["risk", row, False]])
    )
    assert set(quick.values[0]) == {"HEAT", "LOAD", "BRAND"}
    assert quick.values[0] == exact.values[1]
    assert quick.values[0] == pytest.approx(exact.values[0], abs=1.0)
    detail = ask(tmp_path, ("PREDICT_DETAIL", [["risk", row]]))[0].values[0]
    assert detail["ATTRIBUTIONS"] == quick.values[0]


@pytest.mark.parametrize(
    ("labels", "message"),
    [([1] * 100, "same label"), ([0, None] * 50, "row 2 has no label"), ([0, 1] * 10, "too few")],
)
def test_labels_that_teach_nothing_are_refused(tmp_path: Path, labels: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        train_tabular({"X": [1.0] * len(labels)}, labels, ModelStore(tmp_path), "m")


def test_the_threshold_is_where_f1_is_highest() -> None:
    assert best_threshold(np.array([1.0, 1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.6, 0.1])) == pytest.approx(
        0.35
    )


def test_thresholds_nearly_as_good_are_averaged() -> None:
    """Of 1,000 calls above a half one more or less right is no reason to prefer one threshold to another."""
    chance = np.random.default_rng(5)
    truth = (np.arange(2000) < 1000).astype(float)
    clear = np.where(truth > 0, 0.9, 0.1) + chance.normal(0, 0.01, 2000)
    clear[0] = 0.3  # one positive among nobody
    clear[1999] = 0.7
    assert best_threshold(truth, clear) == pytest.approx(0.5, abs=0.05)
    assert best_threshold(truth, np.full(2000, 0.25)) == 0.25
