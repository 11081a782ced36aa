"""Models of other makers: ONNX and skops, where their libraries are installed."""

from __future__ import annotations

import base64
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.support.onnx_model import matrix_model
from tests.support.scoring import ask
from udf_server.errors import ModelError
from udf_server.models.importing import import_model
from udf_server.models.store import ModelStore

# y = 2 a - b + 0.5, as a MatMul and an Add over float [n, 2].
LINE = (
    "CAg6cAoRCgF4CgF3EgFtIgZNYXRNdWwKDgoBbQoBYhIBeSIDQWRkEgFnKhMIAggBEAEiCAAAAEAAAIC/QgF3Kg0IARABIgQAAAA/"
    "QgFiWhEKAXgSDAoKCAESBgoACgIIAmIRCgF5EgwKCggBEgYKAAoCCAFCBAoAEA0="
)


def test_an_onnx_model_answers_and_explains(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    (tmp_path / "line.onnx").write_bytes(base64.b64decode(LINE))
    made = import_model(tmp_path / "line.onnx", ModelStore(tmp_path / "models"), "line", features=["A", "B"])
    assert (made.kind, made.settings["task"]) == ("onnx", "regression")
    rows = [["line", {"A": 3.0, "B": 1.0}]]
    value, quick, exact = ask(
        tmp_path / "models", ("PREDICT", rows), ("EXPLAIN", rows), ("EXPLAIN", [[*rows[0], True]])
    )
    assert value.values == [5.5]
    assert quick.values == exact.values == [{"A": 6.0, "B": -1.0}]
    with pytest.raises(ModelError, match="takes 2 features, not 1"):
        import_model(tmp_path / "line.onnx", ModelStore(tmp_path / "models"), "line", features=["A"])
    (tmp_path / "bad.onnx").write_bytes(b"rubbish")
    with pytest.raises(ModelError, match="onnxruntime refuses"):
        import_model(tmp_path / "bad.onnx", ModelStore(tmp_path / "models"), "bad")


def test_skops_files_of_trees_and_lines(tmp_path: Path) -> None:
    sio = pytest.importorskip("skops.io", reason="skops is not installed")
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures

    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 2))
    y = (x[:, 0] > 0).astype(int)
    for name, estimator in (("f", RandomForestClassifier(3)), ("l", LogisticRegression())):
        fitted = estimator.fit(x, y)
        sio.dump(fitted, tmp_path / f"{name}.skops")
        import_model(tmp_path / f"{name}.skops", ModelStore(tmp_path / "models"), name)
        rows = [[name, *row] for row in x[:5].tolist()]
        [answer] = ask(tmp_path / "models", ("PREDICT", rows))
        assert answer.values == pytest.approx(fitted.predict_proba(x[:5])[:, 1].tolist(), abs=1e-9)
    sio.dump(make_pipeline(PolynomialFeatures(), LogisticRegression()).fit(x, y), tmp_path / "p.skops")
    with pytest.raises(ModelError, match="a pipeline with a PolynomialFeatures is not read"):
        import_model(tmp_path / "p.skops", ModelStore(tmp_path / "models"), "p")


def test_pipelines_and_gradient_boosting_answer_as_scikit_learn_does(tmp_path: Path) -> None:
    sio = pytest.importorskip("skops.io", reason="skops is not installed")
    from sklearn import ensemble, impute, linear_model, preprocessing
    from sklearn.pipeline import make_pipeline

    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)) * [1, 10, 0.1] + 3
    labels, classes = (x[:, 0] > 3).astype(int), np.digitize(x[:, 0], [2, 4])
    logistic = linear_model.LogisticRegression()
    for number, (made, target) in enumerate(
        (
            (make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler(), logistic), labels),
            (
                make_pipeline(preprocessing.RobustScaler(), linear_model.SGDClassifier(loss="log_loss")),
                labels,
            ),
            (make_pipeline(preprocessing.MinMaxScaler(), linear_model.Ridge()), x[:, 1]),
            (ensemble.GradientBoostingClassifier(n_estimators=8), labels),
            (ensemble.GradientBoostingClassifier(n_estimators=5), classes),
            (ensemble.GradientBoostingRegressor(n_estimators=8), x[:, 1]),
        )
    ):
        fitted, name = made.fit(x, target), f"m{number}"
        sio.dump(fitted, tmp_path / f"{name}.skops")
        import_model(tmp_path / f"{name}.skops", ModelStore(tmp_path / "models"), name)
        [answer] = ask(tmp_path / "models", ("PREDICT", [[name, *row] for row in x[:20].tolist()]))
        wanted = fitted.predict(x[:20])
        if target is labels:
            wanted = fitted.predict_proba(x[:20])[:, 1]
        assert answer.values == pytest.approx(wanted.tolist(), abs=1e-9), name
    sio.dump(linear_model.SGDClassifier(loss="hinge").fit(x, labels), tmp_path / "hinge.skops")
    with pytest.raises(ModelError, match="no probabilities"):
        import_model(tmp_path / "hinge.skops", ModelStore(tmp_path / "models"), "hinge")


def test_what_is_no_skops_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("skops.io", reason="skops is not installed")
    with zipfile.ZipFile(tmp_path / "empty.skops", "w"):
        pass
    with zipfile.ZipFile(tmp_path / "none.skops", "w") as file:
        file.writestr("schema.json", "{}")
    (tmp_path / "junk.skops").write_bytes(b"junk")
    for name in ("empty", "none", "junk"):
        with pytest.raises(ModelError, match=f"{name}.skops is no file that skops wrote"):
            import_model(tmp_path / f"{name}.skops", ModelStore(tmp_path / "models"), name)


@pytest.mark.parametrize(("columns", "task"), [(1, "binary"), (2, None), (3, None)])
def test_onnx_models_that_answer_log_odds_give_chances(
    tmp_path: Path, columns: int, task: str | None
) -> None:
    """As PyTorch's classifiers do, whose last step is often in their loss."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    weights = np.random.default_rng(3).normal(size=(2, columns)) * 3
    (tmp_path / "m.onnx").write_bytes(matrix_model(weights))
    made = import_model(tmp_path / "m.onnx", ModelStore(tmp_path / "models"), "m", task=task)
    assert made.classes == tuple(map(str, range(max(columns, 2))))
    x = [0.7, -0.4]
    odds = np.array(x) @ weights
    odds = np.append(0.0, odds) if columns == 1 else odds
    chances = np.exp(odds) / np.exp(odds).sum()
    row = ["m", *x]
    share, label, value = ask(
        tmp_path / "models", ("PREDICT_PROBA", [row]), ("PREDICT_LABEL", [row]), ("PREDICT", [row])
    )
    assert share.values[0] == pytest.approx({c: chances[int(c)] for c in made.classes}, abs=1e-6)
    assert label.values == [str(chances.argmax())]
    wanted = chances[1] if columns < 3 else float(chances.argmax())
    assert value.values[0] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.slow
def test_xgboost_of_several_classes_names_them_all(tmp_path: Path) -> None:
    import xgboost

    x = np.random.default_rng(1).normal(size=(200, 2))
    data = xgboost.DMatrix(x, np.digitize(x[:, 0], [-0.5, 0.5]))
    store = ModelStore(tmp_path / "models")
    row = [1.0, 0.0]
    for objective in ("multi:softprob", "multi:softmax"):
        booster = xgboost.train({"objective": objective, "num_class": 3, "nthread": 1}, data, 5)
        booster.save_model(tmp_path / "m.ubj")
        with pytest.raises(ModelError, match="has 3 classes, not 2"):
            import_model(tmp_path / "m.ubj", store, "m", classes=["a", "b"])
        assert import_model(tmp_path / "m.ubj", store, "m").classes == ("0", "1", "2")
        import_model(tmp_path / "m.ubj", store, "m", classes=["low", "mid", "high"])
        shares, label = ask(
            tmp_path / "models", ("PREDICT_PROBA", [["m", *row]]), ("PREDICT_LABEL", [["m", *row]])
        )
        assert set(shares.values[0]) == {"low", "mid", "high"}
        assert sum(shares.values[0].values()) == pytest.approx(1.0, abs=1e-6)
        assert label.values == ["high"]


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["json", "ubj"])
def test_xgboost_files_that_are_cut_off_are_refused(tmp_path: Path, kind: str, share: float) -> None:
    """Read in this process some of them would end it."""
    import xgboost

    x = np.random.default_rng(1).normal(size=(50, 2))
    booster = xgboost.train(
        {"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(x, x[:, 0] > 0), 3
    )
    booster.save_model(tmp_path / f"m.{kind}")
    whole = (tmp_path / f"m.{kind}").read_bytes()
    (tmp_path / f"m.{kind}").write_bytes(whole[: int(share * len(whole))])
    store = ModelStore(tmp_path / "models")
    with pytest.raises(ModelError, match=f"XGBoost refuses m.{kind}: it is cut off"):
        import_model(tmp_path / f"m.{kind}", store, "m")
    assert store.versions("m") == []
