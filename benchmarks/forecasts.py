"""Forecasts: many series at once, beside statsforecast on the same series and cores; an update beside a refit; memory.

statsforecast runs in an environment of the benchmark's own, build/statsforecast, made by uv when first needed.
`python -m benchmarks.forecasts MEMORY` is the process whose size is measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.memory import largest
from benchmarks.result import Benchmark, Result
from forecasts.accuracy import mase
from forecasts.fitting import fit_panel
from forecasts.models.base import find_model
from forecasts.series import Panel
from forecasts.spec import Spec

Matrix = NDArray[np.float64]
HOUR = 3_600_000
SEASON, HORIZON = 24, 24
FAMILY = ("seasonal_naive", "ses", "holt", "damped", "theta", "holt_winters")
PEERS = {"AutoETS": "holt_winters", "AutoTheta": "theta"}
BUILD = Path(__file__).resolve().parents[1] / "build"
PEER_CODE = Path(__file__).with_name("statsforecast_peer.py")


def make_panel(series: int, steps: int, seed: int = 7) -> Panel:
    """Hourly series with a daily season, a wandering level and noise."""
    rng = np.random.default_rng(seed)
    time_ = np.arange(steps)
    level = 100 * np.exp(rng.normal(0, 0.5, (series, 1))) + np.cumsum(
        rng.normal(0, 0.4, (series, steps)), axis=1
    )
    shape = np.sin(2 * np.pi * (time_ / SEASON + rng.uniform(0, 1, (series, 1))))
    season = rng.uniform(5, 20, (series, 1)) * (shape + 0.4 * shape**2)
    values = np.maximum(level + season + rng.normal(0, 3, (series, steps)), 1.0)
    ids = tuple((f"s{i}",) for i in range(series))
    return Panel(ids, values, (steps * HOUR,) * series, (steps,) * series, HOUR)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def batched() -> Iterator[Result]:
    """Fit and forecast with every smoothing model."""
    panel = make_panel(1_000, 1_000)

    def all_of_them() -> None:
        for name in FAMILY:
            find_model(name).fit(panel, HORIZON, (SEASON,))(panel)

    rate = len(panel.ids) / min(_seconds(all_of_them) for _ in range(3))
    name = f"forecasts: {len(FAMILY)} batched models, series of 1,000 points"
    yield Result(name, round(rate), "series/s", "the aim: 1,000", 1_000)


def beside_statsforecast() -> Iterator[Result]:
    """Series a second and MASE, one core each, of what does the same here and there."""
    series = 60
    panel = make_panel(series, 500 + HORIZON)
    train, actual = panel.cut(HORIZON), panel.values[:, -HORIZON:]
    given = json.dumps(
        {"values": train.values.tolist(), "season": SEASON, "horizon": HORIZON, "models": list(PEERS)}
    )
    try:
        command = [_peer_python(), str(PEER_CODE)]
        done = subprocess.run(command, input=given, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"statsforecast could not be run: {error}", file=sys.stderr)
        return
    theirs = json.loads(done.stdout)
    many = make_panel(20 * series, 500)
    for peer, name in PEERS.items():
        model = find_model(name)
        ours = mase(train.values, actual, model.fit(train, HORIZON, (SEASON,))(train), SEASON).mean()
        rate = len(many.ids) / min(
            _seconds(lambda m=model: m.fit(many, HORIZON, (SEASON,))(many)) for _ in range(3)
        )
        found = theirs[peer]
        forecast = np.array(found["forecast"])
        label = f"statsforecast {found['version']} {peer}"
        yield Result(
            f"forecasts: {name}", round(rate), "series/s", label, round(series / found["seconds"], 2)
        )
        peer_mase = float(mase(train.values, actual, forecast, SEASON).mean())
        yield Result(f"forecasts: {name}, error", round(float(ours), 4), "MASE", label, round(peer_mase, 4))


def update() -> Iterator[Result]:
    """One new step: shown to what is fitted, beside the backtest and fit it takes the place of."""
    default = ("theta", "holt_winters", "autoregression", "xgboost")
    yield from _updated("forecasts: refresh of 200 series by update", make_panel(200, 1_000), default)
    for model in ("ets", "sarimax", "unobserved", "stl"):
        yield from _updated(
            f"forecasts: refresh of 4 series by update, {model}", make_panel(4, 1_000), (model,)
        )


def _updated(name: str, panel: Panel, models: tuple[str, ...]) -> Iterator[Result]:
    spec = Spec("f", "S", ("K",), "V", "T", seasons=(SEASON,), horizon=HORIZON, models=models)
    before = panel.cut(3)
    start = time.perf_counter()
    fit = fit_panel(before, spec)
    refit = time.perf_counter() - start
    fit.forecast(before)
    shown = min(_seconds(lambda s=steps: fit.forecast(panel.cut(s))) for steps in (2, 1, 0))
    yield Result(name, round(shown, 4), "s", "a refit", round(refit, 2))


def memory() -> Iterator[Result]:
    """The size of a process that fits and forecasts 10,000 series of 1,000 points."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.forecasts", "MEMORY"], check=True, capture_output=True, text=True
    )
    seconds, size = map(float, done.stdout.split())
    yield Result("forecasts: 10,000 series x 1,000 points", round(size), "MB", "the aim: 2 GB", 2_048)
    yield Result(
        "forecasts: 10,000 series x 1,000 points, backtest and fit", round(10_000 / seconds), "series/s"
    )


def _fit_many() -> None:
    spec = Spec(
        "f",
        "S",
        ("K",),
        "V",
        "T",
        seasons=(SEASON,),
        horizon=HORIZON,
        folds=3,
        models=("theta", "holt_winters"),
    )
    panel = make_panel(10_000, 1_000)
    seconds = _seconds(lambda: fit_panel(panel, spec).forecast(panel))
    print(seconds, largest())


def _peer_python() -> str:
    folder = BUILD / "statsforecast"
    python = folder / "bin" / "python"
    if not python.exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
        subprocess.run(
            [*uv, "pip", "install", "-q", "--python", str(python), "statsforecast~=2.0"], check=True
        )
    return str(python)


BENCHMARKS = (
    Benchmark("forecasts: batched", batched),
    Benchmark("forecasts: beside statsforecast", beside_statsforecast),
    Benchmark("forecasts: update", update),
    Benchmark("forecasts: memory", memory),
)


if __name__ == "__main__":
    if sys.argv[1:] == ["MEMORY"]:
        _fit_many()
    else:
        for benchmark in BENCHMARKS:
            for result in benchmark.run():
                print(result.entry(), flush=True)
