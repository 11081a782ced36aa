from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from ksqlkit.bridge.portable import FORMAT, margins, portable, vector_rows, write_portable
from ksqlkit.errors import DataError, UserError
from udf_server.models.boosting import import_xgboost
from udf_server.models.store import ModelStore

NAMES = ("A", "B", "C")


def booster(trees: int = 12, **parameters: Any) -> bytes:
    xgboost = import_xgboost()
    random = np.random.default_rng(3)
    rows = random.normal(size=(400, 3))
    rows[random.random(rows.shape) < 0.1] = np.nan
    labels = (np.nan_to_num(rows[:, 0]) > 0.2).astype(float)
    given = {"objective": "binary:logistic", "max_depth": 4, "nthread": 1, **parameters}
    return bytes(xgboost.train(given, xgboost.DMatrix(rows, labels), trees).save_raw("ubj"))


def walk(document: Mapping[str, Any], row: Any) -> np.float32:
    """The frozen slow way: float32 by float32, in order."""

    def real(bits: int) -> np.float32:
        return np.array([bits], dtype=np.int32).view(np.float32)[0]

    total = real(document["base_margin"])
    for tree in document["trees"]:
        node = 0
        while tree["left"][node] >= 0:
            x = row[tree["feature"][node]]
            left = tree["missing_left"][node] if np.isnan(x) else x < real(tree["value"][node])
            node = tree["left"][node] if left else tree["right"][node]
        total = np.float32(total + real(tree["value"][node]))
    return total


@pytest.mark.parametrize("parameters", [{}, {"base_score": 0.03}, {"objective": "reg:squarederror"}])
def test_trees_give_xgboosts_margins_to_the_bit(parameters: dict[str, Any]) -> None:
    content = booster(**parameters)
    document = portable(content, NAMES, {})
    rows = vector_rows(document["trees"], 3, 300)
    assert np.isnan(rows).any()
    wanted = margins(content, rows)
    assert [walk(document, row).tobytes() for row in rows] == [m.tobytes() for m in wanted]


def test_vectors_lie_on_thresholds() -> None:
    document = portable(booster(), NAMES, {})
    rows = vector_rows(document["trees"], 3, 300)
    thresholds = {
        bits for t in document["trees"] for bits, left in zip(t["value"], t["left"], strict=True) if left >= 0
    }
    hits = sum(int(b) in thresholds for b in np.ascontiguousarray(rows).view(np.int32).ravel())
    assert hits > 40


@pytest.fixture
def publish(tmp_path: Path) -> Callable[..., ModelStore]:
    def make(content: bytes, kind: str = "xgboost", **more: Any) -> ModelStore:
        store = ModelStore(tmp_path / "models")
        store.publish("m", content, kind=kind, file="model.ubj", features=NAMES, **more)
        return store

    return make


def test_the_file_is_checked_by_its_checksum_and_carries_the_servers_answers(
    publish: Callable[..., ModelStore], tmp_path: Path
) -> None:
    line = {"kind": "platt", "slope": 0.8, "intercept": -0.1}
    store = publish(booster(), calibration=line)
    write_portable(store, "m", None, tmp_path / "m.model")
    header, _, body = (tmp_path / "m.model").read_bytes().partition(b"\n")
    assert orjson.loads(header) == {"format": FORMAT, "sha256": hashlib.sha256(body).hexdigest()}
    document = orjson.loads(body)
    assert (document["name"], document["version"], document["features"]) == ("m", 1, list(NAMES))
    assert len(document["vectors"]["rows"]) == len(document["vectors"]["values"]) == 200
    assert document["calibration"] == line


def test_what_is_no_plain_sum_of_trees_is_refused(publish: Callable[..., ModelStore], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dart"):
        portable(booster(booster="dart"), NAMES, {})
    with pytest.raises(UserError, match="multi:softprob"):
        portable(booster(objective="multi:softprob", num_class=3), NAMES, {})
    with pytest.raises(DataError, match="3 features, not 2"):
        portable(booster(), NAMES[:2], {})
    with pytest.raises(UserError, match="no model"):
        write_portable(ModelStore(tmp_path), "absent", None, tmp_path / "x")
