from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ksqlkit.errors import DataError
from udf_server.models.store import ModelStore
from udf_server.retraining import Plan, Trial, challenge, due_models, paired_p, read_plan, write_plan
from udf_server.tabular import Recipe, train_tabular


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
