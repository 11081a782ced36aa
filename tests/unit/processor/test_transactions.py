"""The steps of a transaction when Kafka is in trouble: asked again, aborted, or with a new producer."""

from __future__ import annotations

from typing import Any

import pytest

from ksqlkit.engine.log.protocol import Output
from ksqlkit.errors import ServerError
from ksqlkit.processor.transactions import Aborted, Transactions
from tests.support.processor_parts import Keeper

kafka = pytest.importorskip("confluent_kafka")
OUT = Output("t", 0, 5, b"k", b"v")


def trouble(code: int, *, retriable: bool = False, abort: bool = False, fatal: bool = False) -> Exception:
    error: Exception = kafka.KafkaException(kafka.KafkaError(code, "trouble", fatal, retriable, abort))
    return error


class FakeProducer:
    """Notes the steps; `troubles` has what a step raises, once each."""

    def __init__(self, troubles: dict[str, list[Exception]]) -> None:
        self.steps: list[str] = []
        self.troubles = troubles

    def _step(self, name: str) -> None:
        self.steps.append(name)
        if self.troubles.get(name):
            raise self.troubles[name].pop(0)

    def init_transactions(self, _: float) -> None:
        self._step("init")

    def begin_transaction(self) -> None:
        self._step("begin")

    def produce(self, *_: Any, **__: Any) -> None:
        self._step("produce")

    def send_offsets_to_transaction(self, *_: Any) -> None:
        self._step("offsets")

    def commit_transaction(self, _: float) -> None:
        self._step("commit")

    def abort_transaction(self, _: float) -> None:
        self._step("abort")

    def poll(self, _: float) -> None:
        self._step("poll")

    def purge(self) -> None:
        self._step("purge")

    def flush(self, _: float) -> None:
        self._step("flush")


def transactions(
    troubles: dict[str, list[Exception]], instance: str | None = None
) -> tuple[Transactions, list[FakeProducer], Keeper]:
    made: list[FakeProducer] = []
    keeper = Keeper()

    def make(_: object, name: str) -> Any:
        assert name.startswith("group-")
        made.append(FakeProducer(troubles))
        return made[-1]

    return Transactions({}, "group", instance, keeper.pause, make), made, keeper


@pytest.mark.filterwarnings("ignore")
def test_the_client_takes_times_by_position() -> None:
    """Its names cost time in every record: this tells when a new release has other places."""
    producer = kafka.Producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    producer.produce("t", b"v", b"k", 0, None, None, 5)
    producer.produce("t", b"v", b"k", 0, None, None, 5, [("h", b"1")])
    for places in ((None, None, "time"), (None, None, None), (None, None, 5, "headers")):
        with pytest.raises(TypeError):
            producer.produce("t", b"v", b"k", 0, *places)
    producer.purge()


def test_results_then_offsets_then_commit() -> None:
    found, made, _ = transactions({})
    found.commit([OUT, OUT], [], None)
    found.commit([OUT], [], None)
    assert made[0].steps == [
        *("init", "begin", "produce", "produce", "offsets", "commit"),
        *("begin", "produce", "offsets", "commit"),
    ]


@pytest.mark.parametrize("step", ["init", "offsets", "commit"])
def test_what_may_pass_is_asked_again(step: str) -> None:
    late = [trouble(kafka.KafkaError._TIMED_OUT, retriable=True) for _ in range(3)]
    found, made, keeper = transactions({step: late})
    found.commit([OUT], [], None)
    assert made[0].steps.count(step) == 4
    assert made[0].steps[-1] == "commit"
    assert [s for s, _ in keeper.pauses] == [0.1, 0.2, 0.4]


@pytest.mark.parametrize("step", ["produce", "offsets", "commit"])
def test_what_does_not_pass_is_aborted(step: str) -> None:
    found, made, _ = transactions({step: [trouble(kafka.KafkaError.ILLEGAL_GENERATION, abort=True)]})
    with pytest.raises(Aborted):
        found.commit([OUT], [], None)
    assert made[0].steps[-1] == "abort"
    found.commit([OUT], [], None)
    assert len(made) == 1


def test_a_stop_in_between_aborts() -> None:
    found, made, keeper = transactions({"offsets": [trouble(kafka.KafkaError._TIMED_OUT, retriable=True)]})
    keeper.after, keeper.error = 1, InterruptedError()
    with pytest.raises(InterruptedError):
        found.commit([OUT], [], None)
    assert made[0].steps[-1] == "abort"


def test_a_queue_that_is_full_is_waited_for() -> None:
    found, made, _ = transactions({"produce": [BufferError(), BufferError()]})
    found.commit([OUT], [], None)
    assert made[0].steps.count("poll") == 2
    assert made[0].steps[-1] == "commit"


def test_a_producer_that_cannot_go_on_is_replaced() -> None:
    found, made, _ = transactions(
        {
            "commit": [trouble(kafka.KafkaError._FENCED, fatal=True)],
            "flush": [trouble(kafka.KafkaError._FENCED)],
        }
    )
    with pytest.raises(Aborted):
        found.commit([OUT], [], None)
    assert found.lost
    found.ready()
    assert made[1].steps == ["init"]
    found.commit([OUT], [], None)
    assert len(made) == 2


def test_an_abort_that_fails_replaces_the_producer() -> None:
    found, made, _ = transactions(
        {"commit": [trouble(1, abort=True)], "abort": [trouble(kafka.KafkaError._TIMED_OUT, retriable=True)]}
    )
    with pytest.raises(Aborted):
        found.commit([OUT], [], None)
    found.commit([OUT], [], None)
    assert len(made) == 2


def test_another_of_our_name_is_told_of() -> None:
    fenced = [trouble(kafka.KafkaError._FENCED, fatal=True) for _ in range(9)]
    found, _, _ = transactions({"commit": fenced}, instance="one")
    for _ in range(3):
        with pytest.raises(Aborted):
            found.commit([OUT], [], None)
    with pytest.raises(ServerError, match="'one'"):
        found.commit([OUT], [], None)
