from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest

from tests.support.scoring import ask
from udf_server.anomaly.detector import PARTS
from udf_server.anomaly.season import Season, period_of
from udf_server.anomaly.series import Series
from udf_server.anomaly.tails import Tails
from udf_server.memory.local import LocalMemory

MINUTE = 60_000
START = 1_700_006_400_000


def daily(rows: int, seed: int = 3) -> list[float]:
    """A day's wave at 10-minute steps, with noise."""
    rnd = random.Random(seed)
    return [20 + 8 * math.sin(2 * math.pi * t / 144) + rnd.gauss(0, 0.4) for t in range(rows)]


def rows_of(values: list[float], name: str = "s") -> list[list[Any]]:
    return [[name, START + 10 * MINUTE * t, v] for t, v in enumerate(values)]


def test_surprise_counts_decades_of_an_exponential_tail() -> None:
    rnd = random.Random(1)
    tails = Tails()
    for _ in range(20_000):
        tails.learn(rnd.expovariate(1.0))
    for decades in (3, 4, 6):
        assert tails.surprise(decades * math.log(10), 1e-9) == pytest.approx(decades, rel=0.25)
    assert tails.surprise(1.0, 1e-9) == 0.0


def test_a_value_at_the_wrong_time_of_day_is_an_anomaly_though_it_is_usual() -> None:
    values = daily(144 * 10)
    at = 144 * 9 + 36
    values[at] = 12.5  # usual at night; this is noon
    scores = list(ask(Path("unused"), ("ANOMALY_SCORE", rows_of(values)), memory=LocalMemory())[0].values)
    assert scores[at] > 0.5
    assert sum(s > 0.5 for s in scores[:at]) <= 1
    assert all(0.0 <= s <= 1.0 for s in scores)


def test_a_lasting_anomaly_is_told_at_its_start() -> None:
    values = daily(144 * 8)
    for at in range(144 * 7, 144 * 7 + 40):
        values[at] += 15
    series = Series(1)
    scores = [series.update(START + 10 * MINUTE * t, [v]).score for t, v in enumerate(values)]
    assert scores[144 * 7] > 0.5
    assert sum(s > 0.5 for s in scores[144 * 7 + 1 :]) <= 1


def test_spikes_that_come_more_often_are_told_though_each_is_usual() -> None:
    rnd = random.Random(7)
    values = [rnd.gauss(0, 0.2) + (10.0 if t % 40 == 0 else 0.0) for t in range(4200)]
    for at in range(4000, 4200, 6):
        values[at] = 10.0 + rnd.gauss(0, 0.2)
    series = Series(1)
    scores = [series.update(START + t * 7 * 86_400_000, [v]) for t, v in enumerate(values)]
    assert sum(s.score > 0.5 for s in scores[:4000]) <= 2
    told = next(at for at in range(4000, 4200) if scores[at].score > 0.5)
    assert told < 4060
    parts = scores[told].findings[0].parts
    assert max(parts, key=parts.__getitem__) == "UNREST"


def test_detail_gives_expected_bounds_and_parts() -> None:
    values = [*daily(144 * 5), 60.0]
    detail = ask(Path("unused"), ("ANOMALY_SCORE_DETAIL", rows_of(values)), memory=LocalMemory())[0].values[
        -1
    ]
    made_of = detail["ATTRIBUTIONS"]
    assert detail["STATUS"] == "OK"
    assert made_of["LOW"] < made_of["EXPECTED"] < made_of["HIGH"] < 60
    assert made_of["EXPECTED"] == pytest.approx(20, abs=2)
    surprise = sum(made_of[p] for p in PARTS if p in made_of)
    assert detail["VALUE"] == pytest.approx(surprise / (surprise + 9))


def test_memory_survives_a_restart_and_a_repeated_row_is_learned_once(tmp_path: Path) -> None:
    rows = rows_of([*daily(400), 55.0, 20.0])
    whole = ask(tmp_path / "a", ("ANOMALY_SCORE", rows))[0].values
    parts: list[Any] = []
    for start, end in ((0, 150), (150, 390), (350, 390), (390, 402)):
        found = ask(tmp_path / "b", ("ANOMALY_SCORE", rows[start:end]))[0].values
        parts = parts[:start] + found
    assert parts == whole
    assert whole[400] > 0.5


def test_offsets_tell_rows_of_the_same_time_apart(tmp_path: Path) -> None:
    rows = [[n, t, v, "topic", 0, i] for i, (n, t, v) in enumerate(rows_of(daily(200)))]
    twin = [*rows[-1][:2], 90.0, "topic", 0, 200]
    first = ask(tmp_path, ("ANOMALY_SCORE", [*rows, twin]))[0].values
    assert first[-1] > 0.5
    again = ask(tmp_path, ("ANOMALY_SCORE", [twin]))[0].values
    assert again == [first[-1]]


def test_numbers_that_go_together_unusually() -> None:
    rnd = random.Random(5)
    rows: list[list[Any]] = []
    for t in range(600):
        a = rnd.gauss(0, 1)
        rows.append(["pair", START + MINUTE * t, [a, a + rnd.gauss(0, 0.05)]])
    rows.append(["pair", START + MINUTE * 600, [1.2, -1.2]])
    scores = ask(Path("unused"), ("ANOMALY_SCORE", rows), memory=LocalMemory())[0].values
    assert scores[-1] > 0.5
    assert max(scores[:-1]) < 0.5


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300])
def test_bad_values_are_errors_of_their_row_and_not_learned(bad: float) -> None:
    rows = rows_of(daily(100))
    memory = LocalMemory()
    spoiled = [*rows[:50], ["s", rows[50][1] - 1, bad], ["s", rows[50][1] - 1, None], *rows[50:]]
    answer = ask(Path("unused"), ("ANOMALY_SCORE", spoiled), memory=memory)[0]
    clean = ask(Path("unused"), ("ANOMALY_SCORE", rows), memory=LocalMemory())[0]
    assert [r for r, _, _ in answer.errors] == [50]
    assert answer.values[:50] + answer.values[52:] == clean.values


def test_a_series_keeps_its_width_and_a_late_row_is_judged_only() -> None:
    rows = rows_of(daily(100))
    memory = LocalMemory()
    answer = ask(
        Path("unused"),
        ("ANOMALY_SCORE", [*rows, ["s", rows[-1][1] + 1, [1.0, 2.0]], ["s", rows[3][1] + 5, 20.0]]),
        memory=memory,
    )[0]
    assert "1 values a row, not 2" in answer.errors[0][2]
    assert answer.values[-1] is not None


@pytest.mark.parametrize(
    ("interval", "period"), [(1000, 3_600_000), (300_000, 86_400_000), (86_400_000, 604_800_000), (10**10, 0)]
)
def test_the_rhythm_looked_for(interval: int, period: int) -> None:
    assert period_of(interval) == period


def test_a_season_forgets_what_is_past_its_ring_and_takes_gaps() -> None:
    season = Season.of_interval(3_600_000)
    assert season is not None
    hour = 3_600_000
    for t in range(24 * 5):
        season.learn(t * hour, float(t % 24))
    assert season.usual(24 * 5 * hour + 12 * hour) == (10.0, 12.0, 14.0)
    season.learn(24 * 200 * hour, 1.0)
    assert season.usual(24 * 200 * hour + hour) is None
    season.learn(0, 7.0)  # far too late: no effect
    assert season.usual(24 * 200 * hour + hour) is None


def test_the_usual_has_its_low_end_below_its_high_one_from_the_start() -> None:
    tails = Tails()
    chance = random.Random(4)
    for _ in range(400):
        tails.learn(chance.gauss(0.0, 1.0))
        low, high = tails.limits
        assert low <= high
    assert -1.8 < low < -1.0 < 1.0 < high < 1.8
