"""LitServe as its guide has it: `python serve_litserve.py MODEL PORT`; POST /predict {"data": [[...], ...]}."""

import sys
from typing import Any

import litserve
import numpy as np
import xgboost


class Scores(litserve.LitAPI):
    """Rows in, scores out."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        self.booster = xgboost.Booster(model_file=sys.argv[1])
        self.booster.set_param({"nthread": 1})

    def decode_request(self, request) -> Any:
        return np.array(request["data"])

    def predict(self, rows: Any) -> Any:
        return self.booster.inplace_predict(rows)

    def encode_response(self, scores: Any) -> dict[str, Any]:
        return {"data": scores.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Scores(), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[2]), log_level="error", generate_client_file=False)
