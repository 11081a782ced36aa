"""The portable form: walked by a plain walker of the test's own, it gives the server's numbers to the bit."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest

from ksqlkit.imports import import_xgboost
from udf_server.models.importing import from_estimator
from udf_server.models.store import Metadata
from udf_server.portable.document import FORMAT, NotPortable, portable

NAMES = ("A", "B", "C")
X = np.random.default_rng(3).normal(size=(300, 3))
Y = (X[:, 0] * X[:, 1] > 0.2).astype(float)


def boosted(trees: int = 12, **parameters: Any) -> bytes:
    xgboost = import_xgboost()
    rows = X.copy()
    rows[np.random.default_rng(4).random(rows.shape) < 0.1] = np.nan
    given = {"objective": "binary:logistic", "max_depth": 4, "nthread": 1, **parameters}
    target = np.digitize(X[:, 0], [-0.5, 0.5]) if "num_class" in parameters else Y
    return bytes(xgboost.train(given, xgboost.DMatrix(rows, target), trees).save_raw("ubj"))


def metadata(kind: str = "xgboost", **more: Any) -> Metadata:
    return Metadata("m", 3, kind, "model", "", **{"features": NAMES, **more})


def unpacked(text: str, form: str) -> Any:
    return np.frombuffer(base64.b64decode(text), form)


def walk(document: Mapping[str, Any], row: Any) -> list[float]:
    """The frozen slow way."""
    row = [*row]
    for operator, left, right in document["derived"]:
        a, b = row[left], row[right]
        row.append(a * b if operator == "*" else a - b if operator == "-" else a / b if b else np.nan)
    base = unpacked(document["base"], "<f8")
    if "line" in document:
        total = 0.0
        weights, means = (unpacked(document["line"][k], "<f8") for k in ("weights", "means"))
        for x, weight, mean in zip(row, weights, means, strict=True):
            total += 0.0 if np.isnan(x) else (x - mean) * weight
        return [total + base[0]]
    trees = {k: unpacked(v, "<i4") for k, v in document["trees"].items() if k not in ("leaf", "threshold")}
    single = document["single"]
    values = unpacked(document["trees"]["value" if single else "threshold"], "<f4" if single else "<f8")
    sums = [np.float32(b) if single else b for b in base]
    for number, root in enumerate(trees["roots"]):
        node = root
        while trees["left"][node] >= 0:
            x = np.float32(row[trees["feature"][node]])
            goes = x < values[node] if single else np.float64(x) <= values[node]
            left = trees["missing_left"][node] if np.isnan(x) else goes
            node = trees["left" if left else "right"][node]
        if single:
            at = trees["outputs"][number]
            sums[at] = np.float32(sums[at] + values[node])
        else:
            leaf = unpacked(document["trees"]["leaf"], "<f8").reshape(-1, len(base))[node]
            sums = [s + v for s, v in zip(sums, leaf, strict=True)]
    return [float(s) / document.get("divide", 1) for s in sums]


def sklearn_models() -> dict[str, Any]:
    from sklearn import ensemble, linear_model, preprocessing
    from sklearn.pipeline import make_pipeline

    classes = np.digitize(X[:, 0], [-0.5, 0.5])
    return {
        "forest": ensemble.RandomForestClassifier(5, random_state=1).fit(X, Y),
        "forest of classes": ensemble.RandomForestClassifier(5, random_state=1).fit(X, classes),
        "regression forest": ensemble.RandomForestRegressor(5, random_state=1).fit(X, X[:, 1]),
        "boosting": ensemble.GradientBoostingClassifier(n_estimators=5, random_state=1).fit(X, Y),
        "boosting of classes": ensemble.GradientBoostingClassifier(n_estimators=4).fit(X, classes),
        "line": linear_model.LinearRegression().fit(X, X @ [1.0, 2.0, 3.0]),
        "scaled": make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression()).fit(X, Y),
    }


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"base_score": 0.03},
        {"objective": "reg:squarederror"},
        {"objective": "count:poisson"},
        {"objective": "multi:softprob", "num_class": 3},
    ],
)
def test_xgboosts_margins_to_the_bit(given: dict[str, Any]) -> None:
    found = portable(metadata(settings={"derived": [["*", "A", "B"]]}, features=NAMES), wide_model(given))
    compare(orjson.loads(found.partition(b"\n")[2]))


def wide_model(given: dict[str, Any]) -> bytes:
    """With a fourth feature, A times B."""
    xgboost = import_xgboost()
    target = np.digitize(X[:, 0], [-0.5, 0.5]) if "num_class" in given else Y
    wide = np.column_stack((X, X[:, 0] * X[:, 1]))
    parameters = {"objective": "binary:logistic", "max_depth": 4, "nthread": 1, **given}
    return bytes(xgboost.train(parameters, xgboost.DMatrix(wide, target), 8).save_raw("ubj"))


def test_scikit_learns_margins_to_the_bit() -> None:
    for name, estimator in sklearn_models().items():
        given = from_estimator(estimator)
        about = metadata(given["kind"], settings={"task": given["task"]}, classes=given["classes"])
        document = orjson.loads(portable(about, given["content"]).partition(b"\n")[2])
        compare(document, name)


def compare(document: Mapping[str, Any], name: str = "") -> None:
    rows = unpacked(document["vectors"]["rows"], "<f8").reshape(-1, 3)
    assert np.isnan(rows).any(), name
    wanted = unpacked(document["vectors"]["margins"], "<f8").reshape(len(rows), -1)
    with np.errstate(over="ignore"):
        found = [walk(document, row) for row in rows[:60]]
    assert np.array(found).tobytes() == wanted[:60].tobytes(), name


def test_vectors_lie_on_thresholds_and_beside_them() -> None:
    document = orjson.loads(portable(metadata(), boosted()).partition(b"\n")[2])
    trees, rows = document["trees"], unpacked(document["vectors"]["rows"], "<f8")
    inner = unpacked(trees["left"], "<i4") >= 0
    thresholds = unpacked(trees["value"], "<f4")[inner].astype("f8")
    assert np.isin(rows, thresholds).sum() > 40
    assert np.isin(np.nextafter(rows.astype("f4"), np.float32(np.inf)).astype("f8"), thresholds).sum() > 40


def test_the_first_line_names_and_checks_the_second() -> None:
    header, _, body = portable(
        metadata(calibration={"kind": "platt", "slope": 2, "intercept": 1}), boosted()
    ).partition(b"\n")
    assert orjson.loads(header) == {
        "format": FORMAT,
        "sha256": hashlib.sha256(body).hexdigest(),
        "name": "m",
        "version": 3,
    }
    assert orjson.loads(body)["calibration"]["slope"] == 2


@pytest.mark.parametrize("why", ["dart", "survival:cox"])
def test_what_cannot_be_walked_is_refused(why: str) -> None:
    given: dict[str, Any] = {"booster": why} if why == "dart" else {"objective": why}
    with pytest.raises(NotPortable, match=why):
        portable(metadata(), boosted(**given))
    with pytest.raises(NotPortable, match="of kind onnx; walked elsewhere can be xgboost"):
        portable(metadata("onnx"), b"")


def test_a_text_classifier_of_letters_alone_can_be_walked_and_no_other() -> None:
    from udf_server.text.classifier import dump, restore
    from udf_server.text.training import LANGUAGE, PAYLOADS, fit_texts

    texts = [f"{word} {n}" for n in range(20) for word in ("<script>", "union select", "hello", "good day")]
    labels = ["attack" if t[0] in "<u" else "norm" for t in texts]
    content = dump(fit_texts(texts, labels, PAYLOADS)[0])
    document = orjson.loads(portable(metadata("text"), content).partition(b"\n")[2])
    assert document["classes"] == ["attack", "norm"]
    chances = unpacked(document["vectors"]["values"], "<f8").reshape(-1, 2)
    assert chances.tolist() == restore(content).probabilities(document["vectors"]["texts"]).tolist()
    language = replace(LANGUAGE, members=("linear",), folds=2)
    with pytest.raises(NotPortable, match="character n-grams alone"):
        portable(metadata("text"), dump(fit_texts(texts, labels, language)[0]))
