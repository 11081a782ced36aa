from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ksqlkit.imports import import_xgboost
from udf_server.models.boosting import Predictor
from udf_server.models.loaded import XGBoostModel
from udf_server.models.store import Metadata


@pytest.mark.parametrize(
    "objective", ["binary:logistic", "reg:squarederror", "multi:softprob"], ids=lambda o: o.partition(":")[0]
)
def test_the_direct_call_gives_the_same_numbers(objective: str) -> None:
    xgboost = import_xgboost()
    chance = np.random.default_rng(3)
    matrix = chance.normal(size=(400, 6))
    matrix[::7, 2] = np.nan
    target = (matrix[:, 0] > 0).astype(float) + (matrix[:, 1] > 1) * (objective == "multi:softprob")
    given = {"objective": objective, "nthread": 1} | (
        {"num_class": 3} if objective == "multi:softprob" else {}
    )
    booster = xgboost.train(given, xgboost.DMatrix(matrix, target), 8)
    predict = Predictor(booster)
    wide = np.column_stack([np.zeros(400), matrix])
    for rows in (matrix, matrix[:1], matrix[::3], wide[:, 1:], np.asfortranarray(matrix), matrix[:0]):
        assert np.array_equal(predict(rows), booster.inplace_predict(rows))
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda i: predict(matrix[i : i + 5]), range(0, 400, 5)))
    assert np.array_equal(np.concatenate(parts), booster.inplace_predict(matrix))
    with pytest.raises(ValueError, match="mismatch"):
        predict(matrix[:, :4])


@pytest.mark.parametrize("exact", [False, True])
def test_numbers_past_float32_have_attributions_that_add_up_to_the_score(*, exact: bool) -> None:
    xgboost = import_xgboost()
    matrix = np.random.default_rng(4).normal(size=(400, 2))
    target = (matrix[:, 0] > 0).astype(float)
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(matrix, target), 8)
    wide = np.column_stack([matrix, matrix[:, 0] * matrix[:, 1]])
    derived = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(wide, target), 8)
    for trees, formulas in ((booster, []), (derived, [["*", "A", "B"]])):
        settings = {"derived": formulas}
        metadata = Metadata("far", 1, "xgboost", "model.ubj", "", ("A", "B"), settings=settings)
        model = XGBoostModel(metadata, bytes(trees.save_raw("ubj")))
        far = np.array([[1e308, 1.0], [-1e308, 1e39], [np.inf, -np.inf], [1e308, np.nan], [0.5, 1.0]])
        likely = model.predict(far)
        parts = model.attributions(far, exact)
        assert np.isfinite(parts).all()
        assert parts[0, 0] > 0 > parts[1, 0]
        at = np.where(likely > 0.5, 1.0, -1.0)
        assert np.array_equal(np.sign(parts.sum(axis=1)), at)
