from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ksqlkit.errors import DataError
from tests.support.scoring import ask
from udf_server.errors import ModelError
from udf_server.maintenance.life import remaining
from udf_server.models.importing import from_estimator, import_model
from udf_server.models.loaded import load_bytes
from udf_server.models.store import Metadata, ModelStore
from udf_server.tabular import Recipe
from udf_server.train_rows import Task, train_rows


def runs(count: int = 20, seed: int = 1) -> list[dict[str, Any]]:
    """Machines whose heat rises over their last 40 hours."""
    rnd = random.Random(seed)
    out = []
    for unit in range(count):
        life = rnd.randint(60, 120)
        for hour in range(life):
            wear = max(0.0, 1 - (life - hour) / 40)
            out.append(
                {"UNIT": f"m{unit}", "HEAT": 50 + 30 * wear + rnd.gauss(0, 1), "NOISE": rnd.gauss(0, 1)}
            )
    return out


def test_remaining_counts_down_to_the_end_of_each_run() -> None:
    assert remaining(["a", "a", "b", "a", "b"]) == [2, 1, 1, 0, 0]


def test_remaining_life_falls_and_is_remembered_over_a_restart(tmp_path: Path) -> None:
    made = train_rows(runs(), Task(series="UNIT"), ModelStore(tmp_path), "remaining-life")
    assert made.metrics["rmse"] < 25
    one = list(runs(1, seed=9))
    rows = [["x", at, r["HEAT"], r["NOISE"]] for at, r in enumerate(one)]
    whole = ask(tmp_path / "other", ("REMAINING_LIFE", rows))[0]
    assert {c for _, c, _ in whole.errors} == {"UNAVAILABLE"}
    first = ask(tmp_path, ("REMAINING_LIFE", rows[:30]))[0].values
    again, rest, detail = ask(
        tmp_path,
        ("REMAINING_LIFE", rows[20:30]),
        ("REMAINING_LIFE", rows[30:]),
        ("REMAINING_LIFE_DETAIL", rows[-1:]),
    )
    assert again.values == first[20:]
    assert rest.values[-1] < 10 < first[-1]
    assert detail.values[0]["VALUE"] == rest.values[-1]
    parts = detail.values[0]["ATTRIBUTIONS"]
    assert set(parts) == {"ROWS", "HEAT", "NOISE"}
    assert parts["HEAT"] < parts["NOISE"]


def test_remaining_life_refuses_late_and_wrong_rows(tmp_path: Path) -> None:
    train_rows(runs(), Task(series="UNIT"), ModelStore(tmp_path), "remaining-life")
    rows = [
        ["x", 5, 50.0, 0.0],
        ["x", 3, 50.0, 0.0],
        ["x", 6, 50.0],
        ["x", 7, math.nan, 0.0],
        ["x", 8, 50.0, 0.0],
    ]
    answer = ask(tmp_path, ("REMAINING_LIFE", rows))[0]
    assert [r for r, _, _ in answer.errors] == [1, 2, 3]
    assert "before the latest" in answer.errors[0][2]


def test_recommendations_follow_tastes_and_leave_out_what_was_had(tmp_path: Path) -> None:
    rnd = random.Random(3)
    events = []
    for user in range(120):
        taste = "rock" if user % 2 else "jazz"
        what = ["everyone's", *(f"{taste}{number}" for number in rnd.sample(range(20), 8))]
        events += [{"WHO": f"u{user}", "WHAT": item} for item in what]
    made = train_rows(events, Task(user="WHO", item="WHAT"), ModelStore(tmp_path), "recommend")
    assert made.metrics["recall_at_10"] > 0.5
    answer = ask(tmp_path, ("RECOMMEND", [["u1", 5], ["u2", 5], ["stranger", 1], ["u1", 0]]))[0]
    rock, jazz, popular, _ = answer.values
    assert all(r["ITEM"].startswith("rock") for r in rock)
    assert all(r["ITEM"].startswith("jazz") for r in jazz)
    had = {e["WHAT"] for e in events if e["WHO"] == "u1"}
    assert not had & {r["ITEM"] for r in rock}
    assert [r["ITEM"] for r in popular] == ["everyone's"]
    assert [r for r, _, _ in answer.errors] == [3]


def test_routes_are_learned_from_feedback(tmp_path: Path) -> None:
    rnd = random.Random(5)
    contexts = [{"SIZE": rnd.choice([0.0, 5.0])} for _ in range(300)]
    good = ["slow" if c["SIZE"] else "fast" for c in contexts]
    feedback = []
    for at, (context, best) in enumerate(zip(contexts, good, strict=True)):
        for route in ("slow", "fast"):
            reward = float(route == best) + rnd.gauss(0, 0.1)
            feedback.append(["p", context, route, reward, f"{at}{route}"])
    ask(tmp_path, ("ROUTE_FEEDBACK", feedback))
    asked = [["p", c, ["slow", "fast", "none"]] for c in contexts]
    again, chosen, detail = ask(
        tmp_path, ("ROUTE_FEEDBACK", feedback[:1]), ("ROUTE", asked), ("ROUTE_DETAIL", asked[:1])
    )
    assert sum(c == g for c, g in zip(chosen.values, good, strict=True)) > 150
    rewards = detail.values[0]["ATTRIBUTIONS"]
    assert max(rewards, key=rewards.__getitem__) == good[0]
    assert again.values[0] == pytest.approx(rewards[feedback[0][2]])  # the id was known: nothing was learned


def test_unknown_routes_are_all_tried(tmp_path: Path) -> None:
    routes = ["a", "b", "c"]
    answer = ask(tmp_path, ("ROUTE", [[{}, routes]] * 100 + [[{}, []], [{"X": math.inf}, routes]]))[0]
    assert set(answer.values[:100]) == set(routes)
    assert [r for r, _, _ in answer.errors] == [100, 101]


def customers(count: int = 400) -> list[dict[str, Any]]:
    rnd = random.Random(8)
    towns = {"Bern": "CH", "Basel": "CH", "Ulm": "DE"}
    out = []
    for at in range(count):
        town = rnd.choice(list(towns))
        low = rnd.uniform(0, 50)
        row = {"ID": at, "CODE": f"AB-{rnd.randint(100, 999)}", "TOWN": town, "LAND": towns[town]}
        out.append(row | {"LOW": low, "HIGH": low + rnd.uniform(0, 20), "NOTE": rnd.choice([None, "x"])})
    return out


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, None),
        ({"NOTE": None}, None),
        ({"LOW": None}, "MISSING"),
        ({"LOW": "much"}, "TYPE"),
        ({"HIGH": 900.0}, "RANGE"),
        ({"TOWN": "Rome", "LAND": "DE"}, "VALUE"),
        ({"CODE": "ABC123"}, "PATTERN"),
        ({"LOW": 45.0, "HIGH": 20.0}, "INCONSISTENT"),
        ({"TOWN": "Ulm", "LAND": "CH"}, "INCONSISTENT"),
        ({"EXTRA": 1}, "UNKNOWN_FIELD"),
    ],
)
def test_a_learned_profile_names_what_is_wrong(
    tmp_path: Path, change: dict[str, Any], kind: str | None
) -> None:
    made = train_rows(customers(), Task(profile=True), ModelStore(tmp_path), "customers")
    assert made.metrics["flagged"] < 0.1
    row = {**customers()[7], "ID": 10_000, **change}
    [problems] = ask(tmp_path, ("VALIDATE", [[row, "customers"]]))[0].values
    assert {p["KIND"] for p in problems} == ({kind} if kind else set())


def test_a_value_that_may_not_repeat_is_remembered(tmp_path: Path) -> None:
    train_rows(customers(), Task(profile=True), ModelStore(tmp_path), "customers")
    row = {**customers()[7], "ID": 5000}
    assert ask(tmp_path, ("VALIDATE", [[row, "customers"]]))[0].values == [[]]
    [problems] = ask(tmp_path, ("VALIDATE", [[row, "customers"]]))[0].values
    assert [p["KIND"] for p in problems] == ["DUPLICATE"]


def test_rules_in_sql(tmp_path: Path) -> None:
    rules = {"AGE": "required; whole; min=0; max=150", "PLAN": "one of=free|paid", "CODE": "form=AA-999"}
    rows = [
        [{"AGE": 200, "PLAN": "gold", "CODE": "x"}, rules],
        [{"age": 20, "PLAN": "free"}, rules],
        [{}, {"A": "odd"}],
    ]
    answer = ask(tmp_path, ("VALIDATE", rows))[0]
    assert [p["KIND"] for p in answer.values[0]] == ["RANGE", "VALUE", "PATTERN"]
    assert answer.values[1] == []
    assert "'odd' is no rule" in answer.errors[0][2]


def test_a_task_that_names_nothing_or_a_column_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="what shall be learned"):
        train_rows([{"A": 1}], Task(), ModelStore(tmp_path), "m")
    with pytest.raises(DataError, match="no column B"):
        train_rows([{"A": 1}], Task(label="B"), ModelStore(tmp_path), "m")


def test_estimators_of_scikit_learn_answer_as_they_did() -> None:
    from sklearn import ensemble, linear_model, tree

    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 3))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    for made in (
        ensemble.RandomForestClassifier(5, random_state=1),
        ensemble.ExtraTreesRegressor(5, random_state=1),
        tree.DecisionTreeClassifier(max_depth=3),
        linear_model.LogisticRegression(),
        linear_model.LinearRegression(),
    ):
        fitted = made.fit(x, y)
        given = from_estimator(fitted)
        content, task = given.pop("content"), given.pop("task")
        given.pop("count")
        given.pop("names")
        metadata = Metadata("m", 1, sha256="", features=("A", "B", "C"), settings={"task": task}, **given)
        expected = fitted.predict_proba(x)[:, 1] if hasattr(fitted, "predict_proba") else fitted.predict(x)
        assert load_bytes(metadata, content).predict(x) == pytest.approx(expected, abs=1e-9)


def test_imports_take_xgboost_and_refuse_what_may_run_code(tmp_path: Path) -> None:
    import xgboost

    rng = np.random.default_rng(1)
    x = rng.normal(size=(100, 2))
    data = xgboost.DMatrix(x, (x[:, 0] > 0).astype(int), feature_names=["a", "b"])
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 5)
    booster.save_model(tmp_path / "m.json")
    store = ModelStore(tmp_path / "models")
    made = import_model(tmp_path / "m.json", store, "m")
    assert (made.features, made.settings["task"]) == (("A", "B"), "binary")
    [answer] = ask(tmp_path / "models", ("PREDICT", [["m", {"A": 1.0, "B": 0.0}]]))
    expected = booster.inplace_predict(xgboost.DMatrix(np.array([[1.0, 0.0]])).get_data().toarray())
    assert answer.values == pytest.approx(expected.tolist())
    with pytest.raises(ModelError, match="takes 2 features, not 3"):
        import_model(tmp_path / "m.json", store, "m", features=["A", "B", "C"])
    for name, content, message in (
        ("m.pkl", b"x", "may run any code"),
        ("m.txt", b"x", "cannot tell"),
        ("bad.json", b"{}", "XGBoost refuses"),
        ("bad.npz", b"PK", "no .npz"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError, match=message):
            import_model(tmp_path / name, store, "m")
    assert store.versions("m") == [1]


def test_recipes_of_unknown_algorithms_and_formulas(tmp_path: Path) -> None:
    rows = [{"A": float(i), "Y": i % 2} for i in range(100)]
    for recipe, message in ((Recipe("magic"), "no algorithm"), (Recipe(formulas=["A*B"]), "names B")):
        with pytest.raises(DataError, match=message):
            train_rows(rows, Task(label="Y", recipe=recipe), ModelStore(tmp_path), "m")
