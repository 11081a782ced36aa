from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from udf_server.models.boosting import Predictor, import_xgboost


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
