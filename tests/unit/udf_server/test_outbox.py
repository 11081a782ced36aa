"""Alerts leave on a thread of their own: receivers that hang, fail, refuse, or come back."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.support.models import linear_model
from udf_server.batch import Batch
from udf_server.drift.alerts import Alert, to_webhook
from udf_server.drift.bins import Reference
from udf_server.drift.monitor import DriftSettings
from udf_server.drift.outbox import Outbox
from udf_server.metrics import Metrics
from udf_server.models.store import ModelStore
from udf_server.service import Service


def alerts(*names: str) -> list[Alert]:
    return [Alert("ModelDrift", "m", 1, name, 0.5, 0.1, 1e9) for name in names]


def until(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    return true()


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A URL that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


class Receiver:
    """Takes what it is sent, after as many failures as it is told."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.taken, self.calls = list(failures), [], 0

    def __call__(self, given: Sequence[Alert]) -> None:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        self.taken += [a.quantity for a in given]


def status(code: int) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "http://x")
    return httpx.HTTPStatusError(str(code), request=request, response=httpx.Response(code))


def test_a_receiver_that_comes_back_gets_all_in_order() -> None:
    metrics, receiver = Metrics(), Receiver(OSError("away"), status(503), status(429))
    box = Outbox(receiver, "webhook", metrics, first_pause=0.01)
    box(alerts("A", "B"))
    assert until(lambda: receiver.calls >= 1)
    box(alerts("C"))
    assert until(lambda: len(receiver.taken) == 3)
    box.close()
    assert receiver.taken == ["A", "B", "C"]
    assert metrics.alerts_sent.value(target="webhook") == 3
    assert metrics.alert_retries.value(target="webhook") == 3
    assert "udf_alerts_dropped_total{" not in metrics.render()


def test_what_is_refused_is_not_tried_again() -> None:
    metrics, receiver = Metrics(), Receiver(status(400))
    box = Outbox(receiver, "webhook", metrics, first_pause=0.01)
    box(alerts("A"))
    assert until(lambda: metrics.alerts_dropped.value(target="webhook", reason="refused") == 1)
    box(alerts("B"))
    assert until(lambda: receiver.taken == ["B"])
    box.close()


def test_a_full_box_drops_the_oldest_and_an_old_one_is_given_up() -> None:
    metrics, go = Metrics(), threading.Event()
    taken: list[str] = []

    def slow(given: Sequence[Alert]) -> None:
        go.wait(5)
        taken.extend(a.quantity for a in given)

    box = Outbox(slow, "webhook", metrics, limit=3)
    box(alerts("first"))
    assert until(lambda: not box._waiting)
    box(alerts(*"ABCDE"))
    assert metrics.alerts_dropped.value(target="webhook", reason="full") == 2
    go.set()
    assert until(lambda: taken == ["first", "C", "D", "E"])
    box.close()
    failing = Outbox(Receiver(*[OSError()] * 100), "topic", metrics, first_pause=0.01, patience=0.05)
    failing(alerts("A"))
    assert until(lambda: metrics.alerts_dropped.value(target="topic", reason="old") == 1)
    failing.close()


def test_closing_tries_once_more_and_counts_what_is_left() -> None:
    metrics, receiver = Metrics(), Receiver(OSError("away"))
    box = Outbox(receiver, "webhook", metrics, first_pause=60)
    box(alerts("A"))
    assert until(lambda: receiver.calls == 1)
    box.close()
    assert receiver.taken == ["A"]
    gone = Outbox(Receiver(*[OSError()] * 9), "gone", metrics, first_pause=60)
    gone(alerts("A", "B"))
    gone.close()
    assert metrics.alerts_dropped.value(target="gone", reason="closed") == 2


def test_a_webhook_that_hangs_does_not_hold_up_the_watch(tmp_path: Path, black_hole: str) -> None:
    chance = np.random.default_rng(1)
    usual = chance.normal(size=(3000, 1))
    reference = Reference.fit(["X0"], usual, 1 / (1 + np.exp(-usual[:, 0])))
    store = ModelStore(tmp_path)
    linear_model(store, "fraud", [1.0], reference=reference.to_bytes())

    async def act() -> None:
        metrics, other = Metrics(), Receiver()
        hanging = Outbox(to_webhook(black_hole), "webhook", metrics)
        boxes = [hanging, Outbox(other, "topic", metrics)]
        service = Service(tmp_path, metrics=metrics, sends=boxes, drift=DriftSettings(window=100))
        await service.call("FRAUD_SCORE", None, Batch.of((chance.normal(size=(400, 1)) + 3).tolist()))
        linear_model(store, "fraud", [2.0])
        began = time.monotonic()
        service.look()
        assert service.models.serving("fraud") == 2
        assert time.monotonic() - began < 1.0, "the look waited for the webhook"
        assert until(lambda: set(other.taken) == {"X0", "score"}), "one receiver held up the other"
        assert metrics.alerts_sent.value(target="webhook") == 0
        await service.drain()
        began = time.monotonic()
        for box in boxes:
            box.close(0.2)
        assert time.monotonic() - began < 1.0

    asyncio.run(act())
