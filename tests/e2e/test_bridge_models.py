"""Models walked in Java: margins are their libraries' to the bit, values the scoring server's."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from benchmarks.bridge import classpath
from ksqlkit.imports import import_xgboost
from tests.support.java_bridge import NEEDS_JAVA
from udf_server.models.derive import Derived
from udf_server.models.importing import from_estimator
from udf_server.models.loaded import LinearModel
from udf_server.models.store import Metadata
from udf_server.portable.document import portable

pytestmark = NEEDS_JAVA
WIDTH = 5
NAMES = tuple(f"F{i}" for i in range(WIDTH))
ROWS = 10_000


def rows_near(values: Any, seed: int) -> Any:
    """Rows on the values at which a model decides, beside them, far off and missing."""
    random = np.random.default_rng(seed)
    picked = random.choice(values, (ROWS, WIDTH)).astype(np.float64)
    single = picked.astype(np.float32)
    return np.choose(
        random.integers(0, 7, picked.shape),
        [
            picked,
            np.nextafter(single, np.float32(np.inf)).astype(np.float64),
            np.nextafter(single, np.float32(-np.inf)).astype(np.float64),
            np.nextafter(picked, np.inf),
            np.full_like(picked, np.nan),
            random.normal(0, 1e6, picked.shape),
            np.zeros_like(picked),
        ],
    )


def different(folder: Path, form: bytes, rows: Any, margins: Any) -> int:
    """Rows of which Java's margins are not those, bit for bit."""
    rows.astype("<f8").tofile(folder / "rows")
    count, differ, *_ = walked(folder, form, margins)
    assert count == ROWS
    return differ


def walked(folder: Path, form: bytes, margins: Any) -> list[int]:
    """What the walk over `rows` of the folder prints: rows, those that differ, and another number."""
    (folder / "model").write_bytes(form)
    np.ascontiguousarray(margins, dtype="<f8").tofile(folder / "margins")
    files = [str(folder / name) for name in ("model", "rows", "margins")]
    command = ["java", "-Xmx256m", "-cp", classpath(), "io.ksqlkit.bridge.WalkRows", *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()[:3]]


@pytest.mark.parametrize(
    ("objective", "more"),
    [
        ("binary:logistic", {"max_depth": 6}),
        ("binary:logistic", {"base_score": 0.02, "tree_method": "exact"}),
        ("binary:logistic", {"num_parallel_tree": 3, "subsample": 0.5}),
        ("reg:squarederror", {"max_depth": 9}),
        ("count:poisson", {}),
        ("multi:softprob", {"num_class": 4}),
    ],
)
def test_xgboost(objective: str, more: dict[str, Any], tmp_path: Path) -> None:
    xgboost = import_xgboost()
    seed = len(str(more)) + len(objective)
    random = np.random.default_rng(seed)
    x = random.normal(size=(2_000, WIDTH)).round(2)
    x[random.random(x.shape) < 0.1] = np.nan
    signal = np.nan_to_num(x[:, 0] * 2 + x[:, 1])
    target = {
        "binary:logistic": (signal > 0.3).astype(float),
        "multi:softprob": np.digitize(signal, [-1, 0, 1]),
        "count:poisson": np.abs(signal).round(),
    }.get(objective, signal)
    given = {"objective": objective, "nthread": 1, "seed": seed, **more}
    booster = xgboost.train(given, xgboost.DMatrix(x, target), 40)
    metadata = Metadata("m", 1, "xgboost", "model.ubj", "", NAMES)
    form = portable(metadata, bytes(booster.save_raw("ubj")))
    rows = rows_near(x[~np.isnan(x)], seed)
    assert different(tmp_path, form, rows, booster.inplace_predict(rows, predict_type="margin")) == 0


def sklearn(name: str) -> Any:
    from sklearn import ensemble, linear_model, pipeline, preprocessing, tree

    scaler = preprocessing.StandardScaler
    found: dict[str, Callable[[], Any]] = {
        "tree": lambda: tree.DecisionTreeClassifier(max_depth=9),
        "forest": lambda: ensemble.RandomForestClassifier(30, random_state=1),
        "forest of values": lambda: ensemble.ExtraTreesRegressor(10, random_state=1),
        "boosting": lambda: ensemble.GradientBoostingClassifier(n_estimators=40),
        "boosting of values": lambda: ensemble.GradientBoostingRegressor(n_estimators=40, loss="huber"),
        "line": lambda: linear_model.LinearRegression(),
        "scaled": lambda: pipeline.make_pipeline(scaler(), linear_model.LogisticRegression()),
        "descent": lambda: pipeline.make_pipeline(scaler(), linear_model.SGDClassifier(loss="log_loss")),
    }
    return found[name]()


@pytest.mark.parametrize(
    "name",
    ["tree", "forest", "forest of values", "boosting", "boosting of values", "line", "scaled", "descent"],
)
def test_scikit_learn(name: str, tmp_path: Path) -> None:
    from udf_server.models.forest import ForestModel

    random = np.random.default_rng(5)
    x = random.normal(size=(1_500, WIDTH))
    signal = x[:, 0] * x[:, 1] + x[:, 2]
    estimator = sklearn(name)
    estimator.fit(x, signal if "value" in name or name == "line" else (signal > 0.2).astype(int))
    given = from_estimator(estimator)
    metadata = Metadata(
        "m",
        1,
        given["kind"],
        "model.npz",
        "",
        NAMES,
        settings={"task": given["task"]},
        classes=given["classes"],
    )
    rows = rows_near(x.ravel(), 6)
    model = (LinearModel if given["kind"] == "linear" else ForestModel)(metadata, given["content"])
    margins = model.margins(rows)
    assert different(tmp_path, portable(metadata, given["content"]), rows, margins) == 0
    if "boosting" in name:  # and scikit-learn's own, where it takes the rows
        known = np.nan_to_num(rows)
        own = estimator.decision_function if hasattr(estimator, "decision_function") else estimator.predict
        assert different(tmp_path, portable(metadata, given["content"]), known, own(known)) == 0
    for single in (rows[7:8], rows[100:103]):  # no row's bits depend on its batch
        assert (
            model.margins(single).tobytes()
            == margins[np.isin(np.arange(ROWS), _places(rows, single))].tobytes()
        )


def _places(rows: Any, part: Any) -> list[int]:
    return [next(i for i, row in enumerate(rows) if row.tobytes() == one.tobytes()) for one in part]


@pytest.mark.parametrize("task", ["binary", "classes", "regression"])
def test_blends(task: str, tmp_path: Path) -> None:
    from udf_server.models.blend import blend_parts
    from udf_server.models.forest import ForestModel
    from udf_server.tabular import Recipe, fit_model, make_table

    random = np.random.default_rng(9)
    x = random.normal(size=(600, WIDTH))
    signal = x[:, 0] * x[:, 1]
    labels = {"binary": signal > 0, "classes": np.digitize(signal, [-0.5, 0.5]).astype(str)}.get(task, signal)
    table = make_table({n: x[:, i].tolist() for i, n in enumerate(NAMES)}, labels.tolist(), task)
    formulas = ("F0*F1", "F2/F3", "F3-F4")
    kind, file, content, settings = fit_model(table, slice(500), Recipe("blend", task, formulas, trees=12))
    metadata = Metadata(
        "m", 1, kind, file, "", NAMES, settings=settings, classes=table.classes,
        calibration={"kind": "platt", "slope": 1.5, "intercept": 0.1} if task == "binary" else {},
    )  # fmt: skip
    rows = rows_near(x.ravel(), 10)
    (first, trees), (second, wood) = blend_parts(metadata, content)
    booster = import_xgboost().Booster(model_file=bytearray(trees))
    booster.feature_names = None
    forest = ForestModel(second, wood)
    wide = Derived(NAMES, settings["derived"])(rows)
    boosted = booster.inplace_predict(wide, predict_type="margin").reshape(ROWS, -1)
    rows.astype("<f8").tofile(tmp_path / "rows")
    count, differ, _ = walked(
        tmp_path, portable(metadata, content), np.hstack([boosted, forest.margins(rows)])
    )
    assert (count, differ, first.kind) == (ROWS, 0, "xgboost")


def test_texts(tmp_path: Path) -> None:
    from udf_server.text.classifier import dump, restore
    from udf_server.text.members import Texts
    from udf_server.text.training import PAYLOADS, fit_texts

    random = np.random.default_rng(8)
    words = ["select", "' or 1=1 --", "<script>", "../../etc/passwd", "name", "price", "über", "q=1&p=2"]
    texts = [" ".join(random.choice(words, count)) for count in random.integers(1, 12, 300)]
    labels = ["attack" if "<" in t or "--" in t else "path" if "etc" in t else "norm" for t in texts]
    content = dump(fit_texts(texts, labels, PAYLOADS)[0])
    letters = [chr(c) for c in (*range(1, 0x250), 0x3B1, 0x1F600)]
    asked = [*texts, "", "a" * 30_000, "a" * 900, *letters, "İSTANBUL ΟΔΟΣ"]
    asked += [
        " ".join(random.choice([*words, *letters], count)).upper() for count in random.integers(1, 300, 800)
    ]
    classifier = restore(content)
    votes = classifier.shares["linear"] * classifier.members["linear"].scores(Texts(asked)) + classifier.lean
    (tmp_path / "rows").write_bytes(orjson.dumps(asked))
    form = portable(Metadata("m", 1, "text", "model.npz", "", ("text",)), content)
    count, differ, left = walked(tmp_path, form, votes)
    assert (count, differ) == (len(asked), 0)
    outside = sum(any(ord(c) > 0x24F for c in t[:20_000]) for t in asked)
    assert left == outside + 1  # and the text of 20,000 equal letters
