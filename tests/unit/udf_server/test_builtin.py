from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest

from ksqlkit.datagen import messages
from ksqlkit.datagen.messages import INTENTS
from udf_server.batch import Batch
from udf_server.service import Answer, Service


def call(tmp_path: Path, name: str, rows: list[list[Any]]) -> Answer:
    async def act() -> Answer:
        service = Service(tmp_path)
        try:
            return await service.call(name, None, Batch.of(rows))
        finally:
            await service.drain()

    return asyncio.run(act())


def test_forecast_follows_a_season_and_bounds_hold_the_mean(tmp_path: Path) -> None:
    history = [10 + 5 * math.sin(2 * math.pi * t / 12) + 0.1 * (t % 5) for t in range(120)]
    [bands] = call(tmp_path, "FORECAST", [[history, 12, 12]]).values
    assert [b["STEP"] for b in bands] == list(range(1, 13))
    for step, band in enumerate(bands):
        assert band["LO"] <= band["MEAN"] <= band["HI"]
        assert band["MEAN"] == pytest.approx(10.2 + 5 * math.sin(2 * math.pi * step / 12), abs=0.6)


@pytest.mark.parametrize("size", [4, 5, 12, 50])
@pytest.mark.parametrize("slope", [1.0, -2.5, 0.0])
def test_forecast_goes_on_with_a_straight_line(tmp_path: Path, size: int, slope: float) -> None:
    line = [100 + slope * t for t in range(size + 6)]
    saw = [v + (0.0, 5.0, -3.0)[t % 3] for t, v in enumerate(line)]
    [plain, long, seasonal] = call(
        tmp_path, "FORECAST", [[line[:size], 6], [line[:size], 6, 24], [saw[: size + 2], 4, 3]]
    ).values
    for found, true in (
        (plain, line[size:]),
        (long, line[size:]),
        *([(seasonal, saw[size + 2 :])] * (size > 9)),
    ):
        for band, value in zip(found, true, strict=True):
            assert band["MEAN"] == pytest.approx(value)
            assert band["LO"] - 1e-9 <= value <= band["HI"] + 1e-9


def test_forecast_of_a_walk_is_no_line(tmp_path: Path) -> None:
    walk = [0.0]
    for t in range(80):
        walk.append(walk[-1] + ((t * 7919) % 13 - 6))
    [bands] = call(tmp_path, "FORECAST", [[walk, 5]]).values
    assert all(abs(b["MEAN"] - walk[-1]) < 6 for b in bands)


def test_forecast_bounds_are_as_wide_as_the_level_asks(tmp_path: Path) -> None:
    history = [float((t * 37) % 11) for t in range(60)]
    rows = [
        [history, 4, 1, 50],
        [history, 4, 1],
        [history, 4, 1, 90],
        [history, 4, 1, 0],
        [history, 4, 1, 100],
    ]
    answer = call(tmp_path, "FORECAST", rows)
    half, usual, ninety, *_ = answer.values
    assert usual == ninety
    assert all(h["HI"] - h["LO"] < n["HI"] - n["LO"] for h, n in zip(half, ninety, strict=True))
    assert [r for r, _, _ in answer.errors] == [3, 4]


def test_forecast_of_a_row_does_not_depend_on_its_batch(tmp_path: Path) -> None:
    series = [[float((t * k) % 7 + k) for t in range(30 + k)] for k in range(1, 6)]
    rows = [[s, 5] for s in series]
    together = call(tmp_path, "FORECAST", rows).values
    assert together == [call(tmp_path, "FORECAST", [row]).values[0] for row in rows]


def test_forecast_takes_gaps_and_refuses_nonsense_by_row(tmp_path: Path) -> None:
    rows = [
        [[1.0, None, 3.0, 4.0], 2],
        [[1.0], 2],
        [[], 2],
        [[1.0, 2.0], 0],
        [[1.0, 2.0], 2, 0],
        [[5.0, 5.0], 3],
        [[1e308, -1e308, 1e308, 1e308], 2],
    ]
    answer = call(tmp_path, "FORECAST", rows)
    assert [r for r, _, _ in answer.errors] == [1, 2, 3, 4, 6]
    assert len(answer.values[0]) == 2
    assert [b["MEAN"] for b in answer.values[5]] == pytest.approx([5.0, 5.0, 5.0])


def test_classify_knows_the_topic_of_support_messages(tmp_path: Path) -> None:
    rows = list(messages(300, seed=5))
    labels = list(INTENTS)
    found = call(tmp_path, "CLASSIFY", [[r["BODY"], labels] for r in rows]).values
    assert sum(f == r["INTENT"] for f, r in zip(found, rows, strict=True)) / 300 > 0.85


def test_classify_answers_each_row_by_its_own_labels(tmp_path: Path) -> None:
    answer = call(
        tmp_path,
        "CLASSIFY_PROBA",
        [["I forgot my password", ["login_problem", "loan"]], ["x", []], [None, ["a"]], ["", ["a", "b"]]],
    )
    assert max(answer.values[0], key=answer.values[0].get) == "login_problem"
    assert sum(answer.values[0].values()) == pytest.approx(1.0)
    assert answer.values[2] is None
    assert answer.values[3] == pytest.approx({"a": 0.5, "b": 0.5})
    assert [r for r, _, _ in answer.errors] == [1]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Thank you so much, this is great!", "POSITIVE"),
        ("This is not good at all", "NEGATIVE"),
        ("Terrible service, I am furious", "NEGATIVE"),
        ("The food was awful but the staff were wonderful", "POSITIVE"),
        ("I have a question about my address", "NEUTRAL"),
        ("", "NEUTRAL"),
        (":(", "NEGATIVE"),
        ("Could be better", "NEGATIVE"),
        ("It couldn\u2019t be better", "POSITIVE"),
        ("ROOM for\n  improvement!", "NEGATIVE"),
        ("It used to be great", "NEGATIVE"),
        ("I would be happy to help", "POSITIVE"),
        ("\U0001f44d", "POSITIVE"),
        ("done\U0001f44d\U0001f3fd\U0001f44d\U0001f3fd", "POSITIVE"),
        ("\u2764\ufe0f", "POSITIVE"),
        ("\U0001f621", "NEGATIVE"),
        ("\U0001f4ce", "NEUTRAL"),
    ],
)
def test_sentiment_reads_negation_contrast_and_emoticons(tmp_path: Path, text: str, label: str) -> None:
    [value] = call(tmp_path, "SENTIMENT", [[text]]).values
    assert value["LABEL"] == label
    assert -1 <= value["SCORE"] <= 1


def test_a_megabyte_of_text_is_only_a_row(tmp_path: Path) -> None:
    answer = call(tmp_path, "SENTIMENT", [["good " * 200_000], ["bad"]])
    assert [v["LABEL"] for v in answer.values] == ["POSITIVE", "NEGATIVE"]


def test_fraud_score_without_a_model_says_so_row_by_row(tmp_path: Path) -> None:
    answer = call(tmp_path, "FRAUD_SCORE", [[1.0, 2.0], [3.0, 4.0]])
    assert [c for _, c, _ in answer.errors] == ["UNAVAILABLE"] * 2
    assert "train one" in answer.errors[0][2]
