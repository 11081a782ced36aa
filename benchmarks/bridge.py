"""FRAUD_SCORE inside ksqlDB, as its stream threads call it: one POST a row, lane A (group commit), lane L (the model
in the JVM). Needs `make bridge`. `python -m benchmarks.bridge [SECONDS [THREADS ...]]` prints JSON.

The model has 200 trees of depth 6 over 12 features; the server, one process, shares the machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FEATURES = 12
TREES = 200
ROOT = Path(__file__).parents[1]


def publish_model(models: Path, seed: int = 7) -> None:
    """Train a model of the benchmark's size on noise with a rule in it, as the live `fraud`."""
    import numpy as np

    from udf_server.models.boosting import import_xgboost
    from udf_server.models.store import ModelStore

    xgboost = import_xgboost()
    random = np.random.default_rng(seed)
    rows = random.normal(size=(20_000, FEATURES))
    labels = (rows[:, 0] * rows[:, 1] + np.sin(rows[:, 2]) + random.normal(0, 0.5, len(rows)) > 0.7).astype(
        float
    )
    rows[random.random(rows.shape) < 0.05] = np.nan
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 6, "tree_method": "hist", "nthread": 1, "seed": seed},
        xgboost.DMatrix(rows, labels),
        TREES,
    )
    names = [f"F{i}" for i in range(FEATURES)]
    ModelStore(models).publish(
        "fraud", bytes(booster.save_raw("ubj")), kind="xgboost", file="model.ubj", features=names
    )


def classpath() -> str:
    """What the Java side needs, from `make bridge`."""
    built = ROOT / "build" / "bridge"
    return ":".join(str(p) for p in (built / "test-classes", built / "classes", built / "provided" / "*"))


def main(seconds: float, threads: list[int]) -> dict[str, Any]:
    """Run all lanes at each number of threads."""
    from ksqlkit.bridge import build_jar
    from ksqlkit.bridge.runtime import runtime_jar
    from ksqlkit.cli.functions import fetch_manifest
    from tests.support.scoring_server import scoring_server
    from udf_server.models.store import ModelStore
    from udf_server.portable.document import portable

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        publish_model(folder / "models")
        form = portable(*ModelStore(folder / "models").read("fraud", 1))
        (folder / "fraud.model").write_bytes(form)
        server = scoring_server(folder / "models")
        try:
            jar = build_jar(fetch_manifest(server.url), runtime_jar(), folder / "bridge.jar").path
            command = ["java", "-Xmx512m", "-cp", classpath(), "io.ksqlkit.bridge.BenchLanes"]
            command += [str(jar), server.url, str(folder / "fraud.model"), str(FEATURES), str(seconds)]
            command += [str(t) for t in threads]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
        finally:
            server.stop()
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    base = {r["threads"]: r["rows_per_s"] for r in runs if r["lane"] == "one POST a row"}
    for run in runs:
        run["times"] = round(run["rows_per_s"] / base[run["threads"]], 2)
    return {"workload": "bridge", "trees": TREES, "features": FEATURES, "runs": runs}


if __name__ == "__main__":
    given = sys.argv[1:]
    result = main(float(given[0]) if given else 3.0, [int(t) for t in given[1:]] or [1, 4, 16, 64])
    print(json.dumps(result, indent=1))
