"""What can go wrong between SQL and the scoring server: every row is answered once, with the right row's value, or with
a status that says why not."""

from __future__ import annotations

import math
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.process import ServerProcess
from ksqlkit.scoring import ScoringClient
from tests.support.models import linear_model
from tests.support.scoring_server import scoring_server
from udf_server.models.store import ModelStore

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROWS = 2000
FUNCTIONS = """
from udf_server import function
import time

@function("NEGATED(x BIGINT) -> BIGINT")
def negated(xs):
    return [-x for x in xs]

@function("POISONED(x BIGINT) -> BIGINT")
def poisoned(xs):
    return [-x + 0 // (x % 1000 - 617) for x in xs]

@function("FORGETFUL(x BIGINT) -> BIGINT")
def forgetful(xs):
    return [-x for x in xs if x % 1000 != 617]

@function("SLOW(x BIGINT) -> BIGINT", timeout=2.0, batch_limit=500)
def slow(xs):
    time.sleep(10.0 * (1234 in xs))
    return [-x for x in xs]

@function("STUBBORN(x BIGINT) -> BIGINT", on_failure="block", batch_limit=1000)
def stubborn(xs):
    time.sleep(0.02)
    return [-x for x in xs]
"""
STREAMS = """CREATE STREAM GIVEN (ID BIGINT KEY, X BIGINT)
  WITH (KAFKA_TOPIC='given', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE STREAM TOLD WITH (KAFKA_TOPIC='told') AS SELECT ID, {expression} AS ANSWER FROM GIVEN;"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(FUNCTIONS)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[ServerProcess]:
    with scoring_server(folder / "models", folder) as running:
        yield running


class Stream:
    """An engine that asks a function about every row of a stream, over the wire."""

    def __init__(self, client: ScoringClient, expression: str) -> None:
        registry = Registry()
        client.register_into(registry)
        client.watch(every=0.1)
        self.engine = Engine(functions=registry)
        self.engine.execute(STREAMS.format(expression=expression))

    def put(self, start: int, end: int) -> None:
        """Rows whose X is their number."""
        for number in range(start, end):
            self.engine.produce("given", struct.pack(">q", number), orjson.dumps({"X": number}))

    def answers(self, rows: int) -> list[Any]:
        """What was answered, in the order of the rows, of which each must be there once."""
        self.engine.run_until_idle()
        found = self.engine.read("told", 0, 0)
        assert [struct.unpack(">q", r.key)[0] for r in found] == list(range(rows))
        return [orjson.loads(r.value)["ANSWER"] for r in found]


def outcomes(answers: list[Any]) -> Counter[str]:
    """Rows by status; those that are OK must have their own value, the others none."""
    for row, answer in enumerate(answers):
        assert answer["VALUE"] == (-row if answer["STATUS"] == "OK" else None), row
        assert (answer["REASON"] is None) == (answer["STATUS"] == "OK"), row
    return Counter(answer["STATUS"] for answer in answers)


def until(found: Callable[[], Any], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def test_killed(folder: Path) -> None:
    server = scoring_server(folder / "models", folder)
    port = int(server.url.rpartition(":")[2])
    with ScoringClient(server.url) as client:
        stream = Stream(client, "NEGATED_DETAIL(X)")
        stream.put(0, ROWS)
        assert outcomes(stream.answers(ROWS)) == {"OK": ROWS}
        server.kill()
        stream.put(ROWS, 2 * ROWS)
        assert outcomes(stream.answers(2 * ROWS)) == {"OK": ROWS, "UNAVAILABLE": ROWS}
        with scoring_server(folder / "models", folder, port=port):
            until(lambda: client.available)
            stream.put(2 * ROWS, 3 * ROWS)
            assert outcomes(stream.answers(3 * ROWS)) == {"OK": 2 * ROWS, "UNAVAILABLE": ROWS}


@pytest.mark.parametrize(
    ("function", "wrong"),
    [
        ("POISONED", {"INVALID_INPUT": ROWS // 1000}),
        ("FORGETFUL", {"UNAVAILABLE": ROWS // 1000}),
    ],
    ids=["one poison row in a thousand", "an answer of the wrong length"],
)
def test_bad_answers(server: ServerProcess, function: str, wrong: dict[str, int]) -> None:
    with ScoringClient(server.url) as client:
        stream = Stream(client, f"{function}_DETAIL(X)")
        stream.put(0, ROWS)
        answers = stream.answers(ROWS)
        assert outcomes(answers) == {"OK": ROWS - sum(wrong.values()), **wrong}
        assert [row for row, a in enumerate(answers) if a["STATUS"] != "OK"] == [617, 1617]


def test_slow(server: ServerProcess) -> None:
    with ScoringClient(server.url) as client:
        stream = Stream(client, "SLOW_DETAIL(X)")
        stream.put(0, ROWS)
        start = time.monotonic()
        found = outcomes(stream.answers(ROWS))
        assert time.monotonic() - start < 9.5, "it waited for the slow batch"
        assert set(found) == {"OK", "TIMEOUT"}
        assert found["OK"] >= 1000, "the batches before the slow one were in time"


def test_a_model_swapped_in_mid_stream(folder: Path) -> None:
    store = ModelStore(folder / "models")
    for weight in (0.001, -0.001):
        linear_model(store, "fraud", [weight], promote=weight > 0)
    with scoring_server(folder / "models") as server, ScoringClient(server.url) as client:
        stream = Stream(client, "FRAUD_SCORE_DETAIL(CAST(X AS DOUBLE))")
        for part in range(10):
            stream.put(part * 200, (part + 1) * 200)
            stream.engine.run_until_idle()
            store.promote("fraud", 2 - part % 2)
            time.sleep(0.1)
        answers = stream.answers(ROWS)
        assert Counter((a["STATUS"], a["VERSION"]) for a in answers) == {("OK", 1): ROWS}
        for row, answer in enumerate(answers):
            assert answer["VALUE"] == pytest.approx(1 / (1 + math.exp(-0.001 * row))), row

        def versions_now() -> set[int]:
            fresh = Stream(client, "FRAUD_SCORE_DETAIL(CAST(X AS DOUBLE))")
            fresh.put(0, 100)
            return {a["VERSION"] for a in fresh.answers(100)}

        until(lambda: versions_now() == {store.live("fraud")})  # the server looks for promotions now and then


def test_a_restart_in_the_middle_of_a_batch(folder: Path) -> None:
    server = scoring_server(folder / "models", folder)
    port = int(server.url.rpartition(":")[2])
    with ScoringClient(server.url) as client:
        stream = Stream(client, "STUBBORN(X)")
        stream.put(0, 40_000)
        work = threading.Thread(target=stream.engine.run_until_idle)
        work.start()
        until(lambda: stream.engine.read("told", 0, 0))
        server.kill()
        before = len(stream.engine.read("told", 0, 0))
        assert before < 40_000
        with scoring_server(folder / "models", folder, port=port):
            work.join(60.0)
            assert not work.is_alive()
            assert stream.answers(40_000) == [-row for row in range(40_000)]


def test_ten_times_the_load(server: ServerProcess) -> None:
    """Ten streams at once, of a function that a batch of 1,000 keeps busy for 20 ms, with a queue of 40,000 rows."""
    failed: list[BaseException] = []

    def one(number: int) -> None:
        try:
            with ScoringClient(server.url) as client:
                stream = Stream(client, "STUBBORN(X)" if number % 2 else "STUBBORN_DETAIL(X)")
                stream.put(0, 10_000)
                answers = stream.answers(10_000)
                if number % 2:
                    assert answers == [-row for row in range(10_000)]
                else:
                    assert set(outcomes(answers)) <= {"OK", "TIMEOUT", "UNAVAILABLE"}
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90.0)
    assert not any(thread.is_alive() for thread in threads)
    assert failed == []
