"""FRAUD_SCORE inside ksqlDB, as its stream threads call it: one POST a row, lane A (group commit), lane L (the model
in the JVM). Needs a JDK and `make bridge`; without them there are no figures.

The model has 200 trees of depth 6 over 12 features; the server, one process, shares the machine. The simple way is what
a function of one's own would do: one `java.net.http.HttpClient` for all threads, kept-alive connections, a JSON body of
one row. The same by the JDK's older `HttpURLConnection`, which is quicker, stands beside it as a lane of its own. The
lanes take turns, and figures are medians over the rounds; beside them stand those of the simple way.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.result import Benchmark, Result

FEATURES = 12
TREES = 200
THREADS = (1, 4, 16, 64)
ROUNDS = 5
SECONDS = 1.0
SIMPLE = "one POST a row"
ROOT = Path(__file__).parents[1]


def publish_model(models: Path, seed: int = 7) -> None:
    """Train a model of the benchmark's size on noise with a rule in it, as the live `fraud`."""
    import numpy as np

    from ksqlkit.imports import import_xgboost
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


def measured(
    threads: Sequence[int] = THREADS, seconds: float = SECONDS, rounds: int = ROUNDS
) -> list[dict[str, Any]]:
    """Run the lanes; an entry per lane, number of threads and round, with `times` beside the simple way's round."""
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
            command += [str(jar), server.url, str(folder / "fraud.model"), str(server.process.pid)]
            command += [str(FEATURES), str(seconds), str(rounds), *(str(t) for t in threads)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(done.stderr)
        finally:
            server.stop()
    runs: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    simple = 1.0
    for run in runs:
        simple = run["rows_per_s"] if run["lane"] == SIMPLE else simple
        run["times"] = run["rows_per_s"] / simple
    return runs


_BESIDE = {
    "p50": ("p50_ms", "ms"),
    "p99": ("p99_ms", "ms"),
    "processor time of the JVM a row": ("jvm_us", "us"),
    "processor time of the server a row": ("server_us", "us"),
}


def run() -> Iterator[Result]:
    """Rows a second of each lane; latency, its tail at 64 callers, and processor time of lane A."""
    if shutil.which("java") is None or not (ROOT / "build" / "bridge" / "test-classes").is_dir():
        print("no figures of the bridge: it needs a JDK and `make bridge`", file=sys.stderr)
        return
    found: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for entry in measured():
        found[entry["lane"], entry["threads"]].append(entry)
    for (lane, threads), rounds in found.items():
        if lane == SIMPLE:
            continue
        name, rows = f"bridge: {lane}, {threads} threads", median(r["rows_per_s"] for r in rounds)
        # So that the ratio is the median of the rounds' ratios.
        yield Result(name, rows, "rows/s", SIMPLE, rows / median(r["times"] for r in rounds))
        if lane != "lane A":
            continue
        for what, (key, unit) in _BESIDE.items():
            ours, simple = (median(r[key] for r in found[each, threads]) for each in (lane, SIMPLE))
            yield Result(f"{name}, {what}", ours, unit, SIMPLE, simple)
        yield Result(f"{name}, rows a call", median(r["rows_per_call"] for r in rounds), "rows")
        if threads == max(THREADS):
            ranked = sorted(rounds, key=lambda r: r["p99_ms"] / r["p50_ms"])
            for which, entry in (("median", ranked[len(ranked) // 2]), ("quietest", ranked[0])):
                yield Result(f"{name}, p99, {which} round", entry["p99_ms"], "ms", "p50", entry["p50_ms"])


BENCHMARKS = (Benchmark("bridge: lanes A and L into ksqlDB", run),)
