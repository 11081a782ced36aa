"""A job from source to tables on the embedded engine: refit, update, scores, drift, bad input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forecasts.job import Outcome, run_job, scheduled_time
from forecasts.publish import current_rows
from forecasts.refresh import BAD_TIMES, OK, TOO_SHORT
from forecasts.spec import Spec
from forecasts.store import Store
from ksqlkit.client.embedded import EmbeddedClient

HOUR = 3_600_000
SPEC = Spec("f", "S", ("K",), "V", "T", time="T0", horizon=6, models=("theta",), seasons=(12,), folds=3)
SOURCE = (
    "CREATE TABLE S0 (K STRING PRIMARY KEY, T0 BIGINT PRIMARY KEY, V DOUBLE) WITH "
    "(KAFKA_TOPIC='s', KEY_FORMAT='JSON', VALUE_FORMAT='JSON', PARTITIONS=1);"
    "CREATE TABLE S AS SELECT * FROM S0;"
)
NOW = 200 * HOUR


def wave(hour: int) -> float:
    return float(20 + 8 * np.sin(2 * np.pi * hour / 12) + hour % 5 / 10)


@pytest.fixture
def client() -> Iterator[EmbeddedClient]:
    made = EmbeddedClient.open(":memory:")
    made.execute(SOURCE, properties={"auto.offset.reset": "earliest"})
    fill(made, "a", range(150))
    yield made
    made.close()


def fill(client: EmbeddedClient, key: str, hours: range, shift: float = 0.0) -> None:
    client.insert("S0", [{"K": key, "T0": h * HOUR, "V": wave(h) + shift} for h in hours])


def go(
    client: EmbeddedClient, store: Store, *, now: int = NOW, spec: Spec = SPEC, series: tuple[str, ...] = ()
) -> Outcome:
    lease = store.acquire(spec.name, "me", now)
    assert lease is not None
    return run_job(client, spec, store, lambda: now, lease, series=series)


def test_new_steps_are_shown_to_the_kept_fit(client: EmbeddedClient, tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert not go(client, store).updated
    fill(client, "a", range(150, 153))
    second = go(client, store, now=NOW + HOUR)
    assert second.updated
    [found] = second.results
    assert found.start == 153 * HOUR
    truth = [wave(h) for h in range(153, 159)]
    assert np.abs(np.array(found.mean) - truth).mean() < 1.0
    assert not go(client, store, now=NOW + 8 * 24 * HOUR).updated, "a week later it is fitted anew"
    assert not go(client, store, now=NOW + HOUR, spec=replace(SPEC, horizon=5)).updated


def test_what_comes_is_scored_and_drift_is_due_at_once(client: EmbeddedClient, tmp_path: Path) -> None:
    store = Store(tmp_path)
    spec = replace(SPEC, schedule="0 0 1 1 *")
    lease = store.acquire("f", "me", NOW)
    assert lease is not None
    scheduled = scheduled_time(client, spec, store, NOW)
    assert scheduled is not None
    assert store.begin(lease, scheduled)
    go(client, store, spec=spec)
    store.finish(lease, scheduled, NOW)
    assert scheduled_time(client, spec, store, NOW) is None
    fill(client, "a", range(150, 154), shift=30.0)
    assert scheduled_time(client, spec, store, NOW) is not None, "the forecast has left its band"
    second = go(client, store, now=NOW + HOUR, spec=spec)
    assert second.drifted
    assert not second.updated
    [score] = client.query("SELECT * FROM T_ACCURACY;").dicts()
    assert score["STEPS"] == 4
    assert 25 < score["ERROR"] < 35
    assert score["COVERED_95"] == 0


def test_a_job_without_a_schedule_is_due_when_its_source_has_gone_on(
    client: EmbeddedClient, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    assert scheduled_time(client, SPEC, store, NOW) == NOW
    go(client, store)
    assert scheduled_time(client, SPEC, store, NOW) is None
    fill(client, "a", range(150, 151))
    assert scheduled_time(client, SPEC, store, NOW) == NOW


def test_bad_series_get_a_status_and_the_others_go_on(client: EmbeddedClient, tmp_path: Path) -> None:
    client.insert("S0", [{"K": "point", "T0": 0, "V": 1.0}])
    client.insert("S0", [{"K": "future", "T0": NOW + 5 * HOUR, "V": 1.0}])
    client.insert("S0", [{"K": "stray", "T0": -(10**7) * HOUR, "V": 1.0}, {"K": "stray", "T0": 0, "V": 1.0}])
    client.insert("S0", [{"K": "flat", "T0": h * HOUR, "V": 4.0} for h in range(60)])
    client.insert("S0", [{"K": "missing", "T0": h * HOUR, "V": None} for h in range(60)])
    go(client, Store(tmp_path))
    found = {r["K"]: (r["STATUS"], r["MEAN"]) for r in current_rows(client, SPEC) if r["STEP"] <= 1}
    assert found["point"][0] == TOO_SHORT
    assert found["future"][0] == found["stray"][0] == BAD_TIMES
    assert found["flat"] == (OK, 4.0)
    assert found["missing"] == ("NO_VALUES", None)
    assert found["a"][0] == OK


def test_one_series_alone(client: EmbeddedClient, tmp_path: Path) -> None:
    fill(client, "b", range(150))
    store = Store(tmp_path)
    go(client, store)
    fill(client, "a", range(150, 151))
    go(client, store, series=("a",))
    found = {r["K"]: r["FORECAST_TS"] for r in current_rows(client, SPEC) if r["STEP"] == 1}
    assert found["a"] > found["b"]


def test_intervals_widen_after_a_miss_and_stay_so(client: EmbeddedClient, tmp_path: Path) -> None:
    def width(outcome: Outcome) -> float:
        low, high = outcome.results[0].bounds[95]
        return high[0] - low[0]

    store = Store(tmp_path)
    calm = replace(SPEC, drift=1e9)
    first = go(client, store, spec=calm)
    fill(client, "a", range(150, 153), shift=30.0)
    go(client, store, now=NOW + HOUR, spec=calm)
    stretch = Store(tmp_path).load_stretch("f")
    assert stretch[95] > 0
    fill(client, "a", range(150, 153))
    again = go(client, store, now=NOW + HOUR, spec=calm)
    assert store.load_stretch("f") == stretch, "steps are counted once"
    assert width(again) > 1.5 * width(first)
