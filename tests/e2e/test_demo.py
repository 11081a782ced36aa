"""The demo at a twentieth of its size: every figure comes from the run."""

from __future__ import annotations

import json

import pytest

from tests.support.command import run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def report() -> dict:  # type: ignore[type-arg]
    done = run("demo", "--port", "0", "--scale", "0.05", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_all_rows_went_in(report: dict) -> None:  # type: ignore[type-arg]
    assert report["rows"]["weather"] == 26_115
    assert report["rows"]["flights"] == int(336_776 * 0.05)
    assert report["rows"]["transactions"] == 10_000
    assert sum(w["FLIGHTS"] for w in report["weather"]) == report["rows"]["flights"]
    assert sum(s["MESSAGES"] for s in report["support"]) == report["rows"]["messages"]


def test_every_transaction_is_scored_and_fraud_stands_out(report: dict) -> None:  # type: ignore[type-arg]
    assert report["fraud"]["unscored"] == 0
    assert report["fraud"]["auc"] > 0.65
    assert (
        report["fraud"]["average_precision"] > 2 * report["fraud"]["frauds"] / report["fraud"]["transactions"]
    )
    assert len(report["alerts"]) == 5
    assert all(a["SCORE"] >= 0.8 for a in report["alerts"])


def test_forecasts_are_no_worse_than_seasonal_naive_on_the_folds(report: dict) -> None:  # type: ignore[type-arg]
    assert [f["series"] for f in report["forecasts"]] == ["EWR", "JFK", "LGA"]
    assert all(f["error"] <= f["naive"] for f in report["forecasts"])
    assert report["rows"]["forecast"] == 3 * 48
    assert all(c["hours"] == 48 for c in report["compared"])


def test_messages_are_tagged(report: dict) -> None:  # type: ignore[type-arg]
    assert report["text_accuracy"]["subject"] > 0.8
    assert report["text_accuracy"]["mood"] > 0.6
