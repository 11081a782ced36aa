"""BentoML with its adaptive batching: `bentoml serve serve_bentoml:Scores`; POST /predict {"data": [[...], ...]}."""

from __future__ import annotations

import os

import bentoml
import numpy as np
import xgboost


@bentoml.service
class Scores:
    """Rows in, scores out."""

    def __init__(self) -> None:
        self.booster = xgboost.Booster(model_file=os.environ["BENCH_MODEL"])
        self.booster.set_param({"nthread": 1})

    @bentoml.api(batchable=True, max_batch_size=1024, max_latency_ms=1000)
    def predict(self, data: list[list[float]]) -> list[float]:
        return self.booster.inplace_predict(np.array(data)).tolist()
