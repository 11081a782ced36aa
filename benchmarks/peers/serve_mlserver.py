"""MLServer with a runtime of its documented kind: `mlserver start FOLDER`; POST /v2/models/scores/infer."""

from __future__ import annotations

import os

import xgboost
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Scores(MLModel):
    """Rows in, scores out."""

    async def load(self) -> bool:
        self.booster = xgboost.Booster(model_file=os.environ["BENCH_MODEL"])
        self.booster.set_param({"nthread": 1})
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = NumpyCodec.decode_input(payload.inputs[0])
        scores = NumpyCodec.encode_output("scores", self.booster.inplace_predict(rows))
        return InferenceResponse(model_name=self.name, outputs=[scores])
