"""A job from source to tables on the embedded engine: refit, update, scores, drift, bad input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forecasts import fitting
from forecasts.job import Outcome, run_job, scheduled_time
from forecasts.publish import current_rows, read_status
from forecasts.refresh import BAD_TIMES, OK, TOO_SHORT, read_panel
from forecasts.scheduler import run_due
from forecasts.spec import Spec
from forecasts.store import LEASE, Lost, Store
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


def test_fits_that_cannot_be_read_are_made_anew(client: EmbeddedClient, tmp_path: Path) -> None:
    store = Store(tmp_path)
    go(client, store)
    path = tmp_path / "f.fit"
    for damage in (path.read_bytes()[:-9], b"", b"\x80\x04."):
        path.write_bytes(damage)
        assert not go(client, store).updated
        assert go(client, store).updated


def test_a_new_series_is_fitted_alone(client: EmbeddedClient, tmp_path: Path) -> None:
    store = Store(tmp_path)
    go(client, store)
    fill(client, "b", range(150), shift=5.0)
    assert not go(client, store, now=NOW + HOUR).updated
    assert [(f.ids, f.made_at) for f in store.load_fits(SPEC)] == [((("a",),), NOW), ((("b",),), NOW + HOUR)]
    found = {r.series[0]: r.trained_at for r in go(client, store, now=NOW + 2 * HOUR).results}
    assert found == {"a": NOW, "b": NOW + HOUR}


def test_what_was_fitted_before_an_interruption_is_kept(
    client: EmbeddedClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "TOGETHER", 1)
    for key in ("b", "c"):
        fill(client, key, range(150))
    store, shares = Store(tmp_path), []
    lease = store.acquire("f", "me", NOW)
    assert lease is not None

    def interrupt(_model: str, share: float) -> None:
        shares.append(share)
        if share >= 2 / 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(client, SPEC, store, lambda: NOW, lease, on_model=interrupt)
    assert shares == pytest.approx([0, 1 / 6, 1 / 3, 1 / 2, 2 / 3])
    assert current_rows(client, SPEC) == []
    assert [f.ids[0][0] for f in store.load_fits(SPEC)] == ["a", "b"]
    shares.clear()
    found = run_job(
        client, SPEC, store, lambda: NOW, lease, on_model=lambda _, share: shares.append(share)
    ).results
    assert [r.status for r in found] == [OK] * 3
    assert shares == [0, 1 / 2], "one series was left"


def test_a_holder_that_lost_its_lease_does_not_switch(client: EmbeddedClient, tmp_path: Path) -> None:
    store = Store(tmp_path)
    go(client, store)
    lease = store.acquire("f", "me", NOW)
    assert lease is not None

    def lose(_model: str, _share: float) -> None:
        Store(tmp_path).acquire("f", "other", NOW + 10 * LEASE)

    with pytest.raises(Lost):
        run_job(client, SPEC, store, lambda: NOW, lease, refit=True, on_model=lose)
    assert {r["VERSION"] for r in current_rows(client, SPEC)} == {1}


def test_what_comes_is_scored_without_a_refresh(client: EmbeddedClient, tmp_path: Path) -> None:
    spec, store = replace(SPEC, schedule="0 0 1 1 *"), Store(tmp_path)

    def tick() -> list[tuple[int, float]]:
        def report(_: Spec, outcome: Any) -> None:
            assert isinstance(outcome, Outcome), outcome

        assert run_due(client, [spec], store, lambda: NOW, "me", report) == 0
        rows = client.query("SELECT * FROM T_ACCURACY;").dicts()
        return [(r["STEPS"], r["COVERED_95"]) for r in rows]

    assert tick() == []
    fill(client, "a", range(150, 152))
    assert tick() == [(2, 100.0)]
    fill(client, "a", range(152, 154))
    assert tick() == tick() == [(4, 100.0)]
    assert read_status(client, spec)["VERSION"] == 1  # type: ignore[index]


def test_a_window_that_is_not_over_is_left_out(client: EmbeddedClient) -> None:
    client.execute(
        "CREATE STREAM E (K STRING KEY, T1 BIGINT) WITH "
        "(KAFKA_TOPIC='e', VALUE_FORMAT='JSON', PARTITIONS=1, TIMESTAMP='T1');"
        "CREATE TABLE W AS SELECT K, COUNT(*) AS V FROM E WINDOW TUMBLING (SIZE 1 HOURS) GROUP BY K;",
        properties={"auto.offset.reset": "earliest"},
    )
    rows = [("a", h) for h in range(30)] + [("b", 29)]
    client.insert("E", [{"K": k, "T1": h * HOUR + 1} for k, h in rows])
    spec = replace(SPEC, source="W", time="WINDOWSTART")
    panel, failed = read_panel(client, spec, now=29 * HOUR + HOUR // 2)
    assert (panel.ids, panel.ends) == ((("a",),), (28 * HOUR,))
    assert [(f.series, f.status) for f in failed] == [(("b",), TOO_SHORT)]
    assert read_panel(client, spec, now=30 * HOUR)[0].ends == (29 * HOUR, 29 * HOUR)
