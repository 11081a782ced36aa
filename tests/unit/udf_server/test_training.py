from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as peer

from ksqlkit.datagen import transactions
from ksqlkit.errors import DataError
from udf_server.errors import ModelError
from udf_server.evaluation import auc, average_precision, brier, precision_at
from udf_server.features import FRAUD_FEATURES, WindowSpec, windowed_features
from udf_server.models.live import LiveModels
from udf_server.models.loaded import to_matrix
from udf_server.models.store import ModelStore
from udf_server.training import platt, train_fraud


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("levels", [3, 50, 10_000])
def test_metrics_agree_with_scikit_learn(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    y = (rng.random(400) < 0.1).astype(int)
    s = np.floor((rng.random(400) + 0.3 * y) * levels) / levels
    assert auc(y, s) == pytest.approx(peer.roc_auc_score(y, s), abs=1e-12)
    assert average_precision(y, s) == pytest.approx(peer.average_precision_score(y, s), abs=1e-12)
    assert brier(y, s / 2) == pytest.approx(peer.brier_score_loss(y, s / 2), abs=1e-12)
    assert precision_at([1, 0, 1, 0], [4, 3, 2, 1], 3) == pytest.approx(2 / 3)


def test_windows_are_aligned_to_the_epoch_and_include_the_row() -> None:
    hour = 3_600_000
    spec = WindowSpec("K", hour, "V", "N", "S")
    rows = [
        {"K": "a", "T": hour - 1, "V": 1.0},
        {"K": "a", "T": hour, "V": 2.0},
        {"K": "b", "T": hour + 5, "V": 10.0},
        {"K": "a", "T": 2 * hour - 1, "V": None},
        {"K": "a", "T": 2 * hour, "V": 4.0},
    ]
    found = windowed_features(rows, [spec], time="T", keep=["V"])
    assert found["N"] == [1, 1, 1, 2, 1]
    assert found["S"] == [1.0, 2.0, 10.0, 2.0, 4.0]


def test_windows_agree_with_a_plain_recount() -> None:
    rows = list(transactions(2000, seed=5))
    found = windowed_features(rows)
    for at in range(0, 2000, 97):
        row = rows[at]
        same = [
            r["AMOUNT"]
            for r in rows[: at + 1]
            if r["TERMINAL_ID"] == row["TERMINAL_ID"]
            and r["TX_TIME"] // 86_400_000 == row["TX_TIME"] // 86_400_000
        ]
        assert found["TERMINAL_COUNT_1D"][at] == len(same)
        assert found["TERMINAL_SUM_1D"][at] == sum(same)


def test_a_trained_model_ranks_fraud_and_takes_missing_values(tmp_path: Path) -> None:
    rows = list(transactions(24_000, seed=11))
    columns, labels = windowed_features(rows), [r["IS_FRAUD"] for r in rows]
    store = ModelStore(tmp_path)
    past = {k: v[:16_000] for k, v in columns.items()}
    made = train_fraud(past, labels[:16_000], store, trees=60, threads=1)
    model = LiveModels(store).get("fraud")
    later = to_matrix([columns[f][16_000:] for f in FRAUD_FEATURES])
    scores = model.predict(later)
    assert 0.78 < auc(labels[16_000:], scores) < 0.98
    assert 0.5 < scores.mean() / np.mean(labels[16_000:]) < 2.0
    assert made.metrics["auc"] > 0.7
    assert np.isfinite(model.predict(np.full((2, len(FRAUD_FEATURES)), np.nan))).all()
    assert model.attributions(later[:3]).shape == (3, len(FRAUD_FEATURES))


def test_training_data_that_cannot_teach_is_refused(tmp_path: Path) -> None:
    columns = {f: [1.0] * 100 for f in FRAUD_FEATURES}
    with pytest.raises(DataError, match="only one class"):
        train_fraud(columns, [0] * 100, ModelStore(tmp_path))
    with pytest.raises(DataError, match="no column AMOUNT"):
        train_fraud({}, [0] * 100, ModelStore(tmp_path))


def test_platt_recovers_a_distorted_probability() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.02, 0.6, 20_000)
    y = (rng.random(20_000) < truth).astype(float)
    odds = np.log(truth / (1 - truth))
    found = platt(1 / (1 + np.exp(-(2 * odds + 1))), y)
    assert found["slope"] == pytest.approx(0.5, abs=0.05)
    assert found["intercept"] == pytest.approx(-0.5, abs=0.1)


def linear(weight: float) -> bytes:
    import io

    out = io.BytesIO()
    np.savez(out, weights=np.array([weight]), intercept=np.array(0.0), means=np.array([0.0]))
    return out.getvalue()


def test_promote_rollback_and_a_corrupt_version_that_is_refused(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    for weight in (1.0, -1.0):
        store.publish(
            "m", linear(weight), kind="linear", file="model.npz", features=["x"], promote=weight > 0
        )
    live = LiveModels(store)
    one = np.array([[1.0]])
    assert live.get("m").predict(one)[0] > 0.5
    store.promote("m", 2)
    assert live.refresh()
    assert live.get("m").predict(one)[0] < 0.5
    assert live.get("m", 1).predict(one)[0] > 0.5
    assert store.rollback("m") == 1
    live.refresh()
    assert live.get("m").predict(one)[0] > 0.5

    (tmp_path / "m" / "2" / "model.npz").write_bytes(b"rubbish")
    with pytest.raises(ModelError, match="corrupt"):
        store.promote("m", 2)
    (tmp_path / "m" / "aliases.json").write_text('{"live": 2}')
    fresh = LiveModels(store)
    with pytest.raises(ModelError, match="corrupt"):
        fresh.get("m")
    live.refresh()  # still has version 2 in memory, verified when it was read
    (tmp_path / "m" / "aliases.json").write_text('{"live": 3}')
    assert live.refresh()
    assert "no version 3" in live.errors["m"]
    assert live.get("m").metadata.version == 2


def test_a_model_that_appears_is_loaded_before_it_is_asked_for(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    store.publish("old", linear(1.0), kind="linear", file="model.npz", features=["x"])
    live = LiveModels(store)
    live.refresh()
    store.publish("new", linear(1.0), kind="linear", file="model.npz", features=["x"])
    live.refresh()
    for name in ("old", "new"):
        (tmp_path / name / "1" / "model.npz").unlink()
    assert live.get("new").metadata.version == 1
    with pytest.raises(ModelError, match="cannot read"):
        live.get("old")
