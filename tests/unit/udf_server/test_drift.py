from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import orjson
import pytest

from tests.support.models import linear_model
from udf_server.batch import Batch
from udf_server.drift.alerts import Alert
from udf_server.drift.bins import Binning, Reference, jensen_shannon, psi, threshold
from udf_server.drift.losses import LossMonitor
from udf_server.drift.monitor import DriftMonitor, DriftSettings
from udf_server.drift.watch import is_drifting
from udf_server.errors import ModelError
from udf_server.http.app import App
from udf_server.http.message import Request
from udf_server.memory.sqlite import SqliteMemory
from udf_server.metrics import Metrics
from udf_server.models.store import ModelStore
from udf_server.service import Service

NAMES = ["A", "B", "C"]


def rows(chance: np.random.Generator, count: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    matrix = chance.normal(size=(count, 3))
    matrix[:, 0] += shift
    matrix[:, 1] = chance.integers(0, 2, count)
    matrix[chance.random(count) < 0.2, 2] = np.nan
    return matrix, 1 / (1 + np.exp(-matrix[:, 0]))


def test_bins_hold_a_tenth_each_and_the_missing_apart() -> None:
    values = np.append(np.arange(100.0), [np.nan] * 7)
    binning = Binning.fit(values)
    assert binning.counts.tolist() == [10.0] * 10 + [7.0]
    assert binning.count(np.array([-1e9, 1e9, np.nan, np.inf])).tolist() == [1, *[0] * 8, 2, 1]
    assert Binning.fit(np.zeros(50)).counts.tolist() == [50, 0, 0]
    assert Binning.fit(np.full(5, np.nan)).counts.tolist() == [0, 5]


def test_the_indices_have_their_known_values() -> None:
    even, other = np.array([1e9, 1e9]), np.array([1e9, 3e9])
    assert psi(even, even) == pytest.approx(0.0)
    assert psi(even, other) == pytest.approx(
        0.25 * np.log(3), rel=1e-6
    )  # (.25-.5)ln(.25/.5)+(.75-.5)ln(.75/.5)
    assert jensen_shannon(np.array([1e12, 0.0]), np.array([0.0, 1e12])) == pytest.approx(1.0, abs=1e-4)
    assert jensen_shannon(even, even) == 0.0


def test_a_threshold_is_passed_at_its_rate() -> None:
    chance = np.random.default_rng(5)
    counts = np.full(10, 2000.0)
    for rate in (0.05, 0.002):
        limit = threshold(counts, 500, rate)
        drawn = psi(counts, chance.multinomial(500, counts / counts.sum(), 20_000).astype(float))
        assert (drawn > limit).mean() == pytest.approx(rate, rel=0.5)


def test_a_stable_stream_is_quiet_and_a_shift_is_named_once_it_persists() -> None:
    chance = np.random.default_rng(1)
    reference = Reference.fit(NAMES, *rows(chance, 10_000))
    monitor = DriftMonitor(reference, DriftSettings(window=500))
    quiet = [f for w in monitor.add(*rows(chance, 20_000)) for f in w]
    assert monitor.windows == 40
    assert sum(f.alarm for f in quiet) <= 2
    windows = DriftMonitor(reference, DriftSettings(window=500)).add(*rows(chance, 1500, shift=0.7))
    named = [{f.name for f in w if f.alarm} for w in windows]
    assert named[0] == set()
    assert named[1] >= {"A", "score"}
    assert "B" not in named[1]


def test_references_survive_the_disk_and_nonsense_is_refused() -> None:
    matrix, scores = rows(np.random.default_rng(2), 500)
    made = Reference.fit(NAMES, matrix, scores, (scores > 0.5).astype(float))
    read = Reference.of_bytes(made.to_bytes())
    assert read.names == [*NAMES, "score"]
    assert all(np.array_equal(read.binnings[n].counts, made.binnings[n].counts) for n in made.names)
    assert np.allclose(read.losses, made.losses)
    for text in (b"{", b"[]", b'{"bins": {"A": {"edges": [1], "counts": [1]}}, "losses": []}'):
        with pytest.raises(ModelError):
            Reference.of_bytes(text)


def test_losses_of_late_labels() -> None:
    chance = np.random.default_rng(4)
    scores = chance.random(20_000)
    labels = (chance.random(20_000) < scores).astype(float)
    monitor = LossMonitor((scores[:2000] - labels[:2000]) ** 2, window=500)
    assert monitor.add(scores[2000:12_000], labels[2000:12_000]) == 20
    assert not monitor.alarm
    monitor.add(scores[12_000:13_000], 1 - labels[12_000:13_000])
    assert monitor.alarm


def test_alertmanager_s_shape() -> None:
    alert = Alert("ModelDrift", "fraud", 3, "AMOUNT", 0.31, 0.05, 1_700_000_000.5)
    found = alert.alertmanager()
    assert found["labels"] == {
        "alertname": "ModelDrift",
        "model": "fraud",
        "version": "3",
        "quantity": "AMOUNT",
        "severity": "warning",
    }
    assert found["startsAt"] == "2023-11-14T22:13:20.500Z"
    assert "endsAt" not in found
    assert all(isinstance(v, str) for v in found["annotations"].values())


def watched(folder: Path, chance: np.random.Generator) -> Reference:
    """A model that adds A, B and C, with the reference it was published with."""
    matrix, _ = rows(chance, 5000)
    scores = 1 / (1 + np.exp(-np.nan_to_num(matrix).sum(axis=1)))
    reference = Reference.fit(NAMES, matrix, scores, (scores > 0.5).astype(float))
    linear_model(ModelStore(folder), "fraud", [1.0] * 3, reference=reference.to_bytes())
    return reference


def test_several_processes_watch_as_one(tmp_path: Path) -> None:
    chance = np.random.default_rng(8)
    reference = watched(tmp_path, chance)
    settings = DriftSettings(window=200)
    alone = DriftMonitor(reference, settings)
    sent: list[tuple[int, Alert]] = []
    seconds = [1e9]

    async def act() -> None:
        def worker(number: int) -> Service:
            def keep(alerts: Sequence[Alert]) -> None:
                sent.extend((number, a) for a in alerts)

            return Service(tmp_path, sends=[keep], drift=settings, now=lambda: seconds[0])

        workers = [worker(number) for number in range(3)]
        expected: dict[str, float] = {}
        for turn in range(40):
            given, _ = rows(chance, 70, 0.0 if turn < 20 else 1.5)
            given = np.nan_to_num(given)
            service = workers[turn % 3]
            answer = await service.call("FRAUD_SCORE", None, Batch.of(given.tolist()))
            for findings in alone.add(given, np.array(answer.values)):
                expected = {f.name: f.psi for f in findings}
            service.look()
        page = Metrics()
        for service in workers:
            page.merge(service.metrics.state())
        found = {n: page.psi.value(model="fraud", version="1", quantity=n) for n in expected}
        assert found == pytest.approx(expected)
        firing = [service.drift.firing for service in workers]
        assert firing[0] == firing[1] == firing[2]
        assert page.firing.value(model="fraud", version="1", quantity="A") == 1
        assert page.alerts.value(model="fraud", quantity="A") == 1
        assert [a.quantity for _, a in sent].count("A") == 1
        # One that starts anew knows what lasts; what lasts is said again once a minute, by one of them.
        workers[0] = worker(0)
        assert workers[0].drift.firing == firing[0]
        sent.clear()
        for _ in range(4):
            seconds[0] += 31.0
            for service in workers:
                service.look()
        assert [a.quantity for _, a in sent].count("A") == 2
        seconds[0] += 90_000.0  # a day later nobody asks that version any more
        for service in workers:
            service.look()
        assert workers[1].drift.firing == []
        assert {a.quantity for _, a in sent if a.ended is not None} == {a.quantity for a in firing[0]}
        assert not is_drifting(tmp_path, "fraud", 1)
        for service in workers:
            await service.drain()

    asyncio.run(act())


def in_the_way(folder: Path) -> None:
    (folder / ".memory").write_text("in the way")


def spoiled(folder: Path) -> None:
    memory = SqliteMemory(folder / ".memory" / "drift.db")
    with memory.transaction("drift") as space:
        space.put("fraud@1", b"rubbish")
    memory.close()


@pytest.mark.parametrize("break_it", [in_the_way, spoiled])
def test_a_memory_that_cannot_be_used_ends_the_sharing_not_the_watch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, break_it: Callable[[Path], None]
) -> None:
    chance = np.random.default_rng(9)
    watched(tmp_path, chance)
    break_it(tmp_path)

    async def act() -> None:
        service = Service(tmp_path, drift=DriftSettings(window=200))
        given, _ = rows(chance, 1000, 3.0)
        await service.call("FRAUD_SCORE", None, Batch.of(np.nan_to_num(given).tolist()))
        service.look()
        assert "A" in {a.quantity for a in service.drift.firing}
        await service.drain()

    asyncio.run(act())
    assert "in this process only" in caplog.text


def test_the_server_raises_and_ends_alerts_of_what_it_scores(tmp_path: Path) -> None:
    chance = np.random.default_rng(6)
    watched(tmp_path, chance)
    sent: list[Alert] = []

    def keep(alerts: Sequence[Alert]) -> None:
        sent.extend(alerts)

    def broken(alerts: Sequence[Alert]) -> None:
        raise OSError("nobody there")

    async def act() -> None:
        settings = DriftSettings(window=200)
        service = Service(tmp_path, sends=[broken, keep], drift=settings)
        app = App(service)

        async def score(count: int, shift: float) -> None:
            given, _ = rows(chance, count, shift)
            batch = Batch.of(np.where(np.isnan(given), None, given).tolist())
            answer = await service.call("FRAUD_SCORE", None, batch)
            assert not answer.errors
            service.look()

        await score(600, 0.0)
        assert sent == []
        await score(600, 2.0)
        assert {"A", "score"} <= {a.quantity for a in sent}
        assert all(a.ended is None for a in sent)
        assert is_drifting(tmp_path, "fraud", 1)
        assert service.metrics.firing.value(model="fraud", version="1", quantity="A") == 1
        await score(1000, 0.0)
        assert not service.drift.firing
        assert any(a.quantity == "A" and a.ended is not None for a in sent)
        assert not is_drifting(tmp_path, "fraud", 1)
        data = orjson.dumps({"data": [[0.9, 0.0]] * 2000})
        path = "/v1/models/fraud/outcomes"
        assert (await app.handle(Request("POST", path, {}, data))).status == 200
        service.look()
        assert sent[-1].name == "ModelPerformance"
        for body, status in (
            (b"{}", 400),
            (b'{"data": [[1]]}', 400),
            (b'{"data": [[1, null]]}', 400),
            (b'{"data": [[1, 0]], "version": 7}', 404),
        ):
            assert (await app.handle(Request("POST", path, {}, body))).status == status
        await service.drain()

    asyncio.run(act())
