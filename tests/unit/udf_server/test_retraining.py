from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ksqlkit.errors import DataError
from tests.support.models import linear_model
from udf_server.models.store import ModelStore
from udf_server.retraining import (
    Plan,
    Trial,
    challenge,
    due_models,
    paired_p,
    read_plan,
    unplanned,
    write_plan,
)
from udf_server.tabular import Recipe, train_tabular
from udf_server.text.training import Recipe as Texts
from udf_server.text.training import train_texts
from udf_server.train_rows import Task, train_rows


def rows(count: int, turned: bool, seed: int = 1) -> list[dict[str, Any]]:
    """X says the label; turned round, the other way."""
    chance = np.random.default_rng(seed)
    x, noise = chance.normal(size=count), chance.normal(size=count)
    label = (x + noise > 0) ^ turned
    return [{"X": a, "Z": b, "Y": int(c)} for a, b, c in zip(x.tolist(), noise.tolist(), label, strict=True)]


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    made = ModelStore(tmp_path)
    old = rows(600, False)
    train_tabular({"X": [r["X"] for r in old]}, [r["Y"] for r in old], made, "m", Recipe("linear"))
    return made


def trial(store: ModelStore, data: list[dict[str, Any]]) -> Trial:
    return challenge(store, "m", Plan("file", "Y", ("X",), "linear"), data)


def test_a_better_challenger_is_promoted_and_the_champion_kept(store: ModelStore) -> None:
    found = trial(store, rows(1200, True, seed=2))
    assert found.promoted
    assert found.challenger_loss < found.champion_loss
    assert store.aliases("m") == {"live": 2, "previous": 1}
    assert store.reference("m", 2) is not None
    assert store.rollback("m") == 1


def test_one_that_is_no_better_is_kept_back(store: ModelStore) -> None:
    found = trial(store, rows(1200, False, seed=3))
    assert not found.promoted
    assert found.p > 0.05
    assert store.aliases("m") == {"live": 1}
    assert store.versions("m") == [1, 2]


def test_rows_without_a_column_are_an_error(store: ModelStore) -> None:
    with pytest.raises(DataError, match="no column Y"):
        trial(store, [{"X": 1.0}])
    with pytest.raises(DataError):
        trial(store, [])


TOPICS = {"card": ["card", "lost", "pin", "blocked"], "login": ["password", "account", "reset", "email"]}


def messages(count: int, turned: bool, seed: int) -> list[dict[str, Any]]:
    """Texts of two topics; turned round, each is called by the other's name."""
    chance = random.Random(seed)
    out = []
    for _ in range(count):
        topic, other = chance.sample(sorted(TOPICS), 2)
        words = [*chance.sample(TOPICS[topic], 2), *chance.sample(["my", "the", "please", "help"], 2)]
        out.append({"BODY": " ".join(words), "SUBJECT": other if turned else topic})
    return out


@pytest.mark.slow
def test_a_classifier_of_texts_is_challenged_too(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    old = messages(60, False, 1)
    recipe = Texts(members=("linear", "bayes"), folds=2)
    train_texts([r["BODY"] for r in old], [r["SUBJECT"] for r in old], store, name="s", recipe=recipe)
    plan = Plan("file", "SUBJECT", text="BODY")
    with pytest.raises(DataError, match="reads text"):
        challenge(store, "s", replace(plan, text=None), old)
    with pytest.raises(DataError, match="no column TEXT"):
        challenge(store, "s", replace(plan, text="TEXT"), old)
    same = challenge(store, "s", plan, messages(150, False, 2))
    assert not same.promoted
    rows = messages(150, True, 3)
    rows[80]["SUBJECT"] = "seen once"
    better = challenge(store, "s", plan, rows)
    assert better.promoted
    assert better.champion_loss > better.challenger_loss
    assert store.aliases("s") == {"live": 3, "previous": 1}
    assert store.metadata("s", 3).kind == "text"
    assert store.rollback("s") == 1


def test_card_transactions_get_their_windows(tmp_path: Path) -> None:
    chance = random.Random(4)
    rows: list[dict[str, Any]] = []
    for at in range(3000):
        amount = chance.expovariate(0.02)
        fraud = int(chance.random() < (0.9 if amount > 150 else 0.02))
        row = {"CUSTOMER_ID": at % 20, "TERMINAL_ID": at % 7, "AMOUNT": amount, "TX_TIME": at * 60_000}
        rows.append({**row, "IS_FRAUD": fraud})
    store = ModelStore(tmp_path)
    train_rows(rows[:2000], Task(label="IS_FRAUD"), store, "fraud")
    found = challenge(store, "fraud", Plan("file", "IS_FRAUD"), rows)
    assert found.challenger == 2
    assert not found.promoted
    assert 0 < found.champion_loss < 0.4
    with pytest.raises(DataError, match=r"row 1 has 'yes'"):
        challenge(store, "fraud", Plan("file", "IS_FRAUD"), [{**r, "IS_FRAUD": "yes"} for r in rows])


def test_what_a_kind_needs_and_why_one_is_never_due(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    events = [{"U": u, "I": i} for u in range(6) for i in range(u % 3, 6)]
    train_rows(events, Task(user="U", item="I"), store, "r")
    with pytest.raises(DataError, match="model r is trained by --user and --item") as refused:
        challenge(store, "r", Plan("file", user="U"), events)
    assert refused.value.hint == "Name --item."
    with pytest.raises(DataError, match="no column W"):
        challenge(store, "r", Plan("file", user="U", item="I", weight="W"), events)
    linear_model(store, "made", [1.0], training_data={"description": "imported from churn.onnx"})
    with pytest.raises(DataError, match="made elsewhere and imported"):
        challenge(store, "made", Plan("file", "Y"), [{"X0": 1, "Y": 1}])
    linear_model(store, "old", [1.0])
    with pytest.raises(DataError, match="does not say how it was trained"):
        challenge(store, "old", Plan("file", "Y"), [{"X0": 1, "Y": 1}])
    write_plan(store, "old", Plan("file", "Y"))
    told = unplanned(store)
    assert set(told) == {"r", "made"}
    assert "give it one" in told["r"]
    assert "imported" in told["made"]


def test_words_where_a_model_learned_numbers(store: ModelStore) -> None:
    with pytest.raises(DataError, match="the column X has 'a lot'; model m learned numbers"):
        trial(store, [*rows(300, False), {"X": "a lot", "Z": 0.0, "Y": 1}])


def test_what_is_due(store: ModelStore) -> None:
    assert due_models(store, 1e9) == []
    write_plan(store, "m", Plan("f.csv", "Y", ("X",), "linear", every_days=2, last=1e9))
    assert due_models(store, 1e9 + 86_400) == []
    assert due_models(store, 1e9 + 2 * 86_400) == ["m"]
    (store.root / "m" / "drift.json").write_text('{"version": 1, "firing": [{}]}')
    assert due_models(store, 1e9) == ["m"]
    plan = read_plan(store, "m")
    assert plan is not None
    assert plan.features == ("X",)


def test_the_paired_test_keeps_its_level() -> None:
    chance = np.random.default_rng(9)
    low = sum(paired_p(chance.normal(size=480), seed=i) < 0.05 for i in range(200))
    assert low <= 20
    assert paired_p(chance.normal(0.3, 1, size=480)) < 0.01
    assert paired_p(np.zeros(480)) == 1.0
