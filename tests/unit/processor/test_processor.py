"""The loop, over Kafka in memory: what is read, written and committed when all goes well, and when it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from ksqlkit.errors import ServerError
from ksqlkit.processor.versions import Changed
from tests.support.processor_parts import Server, entry, query

kafka = pytest.importorskip("confluent_kafka")

from tests.support.fake_kafka import Cluster, Sent, trouble  # noqa: E402
from tests.support.whole_processor import Whole  # noqa: E402

ROOT = entry("ROOT")
FENCED = kafka.KafkaError._FENCED


def root(x: float | None) -> float | None:
    if x is None:
        return None
    if x < 0:
        raise ValueError("no root")
    return float(x**0.5)


def rows(partitions: int, count: int) -> dict[int, list[Sent]]:
    """So many records {"X": i} in each partition."""
    return {
        p: [Sent(b"k%d" % p, orjson.dumps({"X": i}), 1_000 + i) for i in range(count)]
        for p in range(partitions)
    }


def whole(
    folder: Path,
    source: dict[int, list[Sent]],
    select: str = "K, X, ROOT(X) AS R",
    server: Server | None = None,
    columns: str = "X DOUBLE",
    **settings: Any,
) -> Whole:
    return Whole(query(folder, select, columns), server or Server(root), [ROOT], Cluster(source), **settings)


def once_each(found: Whole, partitions: int, count: int) -> None:
    for partition in range(partitions):
        assert [r["X"] for r in found.rows(partition)] == list(range(count))
    assert found.cluster.committed == dict.fromkeys(range(partitions), count)


def test_order_keys_headers_and_times_are_kept(tmp_path: Path) -> None:
    source = [
        Sent(b"a", b'{"X": 4}', 7, (("trace", b"1"), ("trace", b"2"))),
        Sent(None, b'{"X": 9}', 5),
        Sent(b"b", None, 9),
        Sent(b"", b'{"X": null}', 8),
        Sent(b"a", b"{}", 8),
    ]
    found = whole(tmp_path, {0: source, 1: [Sent(b"c", b'{"X": 16}', 3)]})
    tally = found.run()
    sent = [s for p, s in found.cluster.topics["T"] if p == 0]
    assert [(s.key, s.timestamp, s.headers) for s in sent] == [
        (s.key, s.timestamp, s.headers) for s in source
    ]
    assert found.rows(0) == [
        {"X": 4.0, "R": 2.0},
        {"X": 9.0, "R": 3.0},
        None,
        {"X": None, "R": None},
        {"X": None, "R": None},
    ]
    assert found.rows(1) == [{"X": 16.0, "R": 4.0}]
    assert (tally.read, tally.written, tally.dead) == (6, 6, 0)
    assert found.cluster.committed == {0: 5, 1: 1}
    assert found.cluster.consumer is not None
    assert found.cluster.consumer.closed


def test_transactions_are_as_large_as_they_may(tmp_path: Path) -> None:
    found = whole(tmp_path, rows(1, 95), max_rows=20)
    assert found.run().transactions == 5
    assert found.cluster.commits == [20, 20, 20, 20, 15]
    once_each(found, 1, 95)


def test_poison_rows_are_dead_letters_as_they_came(tmp_path: Path) -> None:
    values = [
        b'{"X": 1}',
        b"{no",
        b'{"X": "many"}',
        b'{"X": -4}',
        b"\xff\x00",
        b'{"X": 4, "NEW": [1]}',
        b'{"x": 9}',
    ]
    source = [Sent(b"k%d" % i, v, 50 + i, (("trace", b"7"),)) for i, v in enumerate(values)]
    found = whole(tmp_path, {0: source})
    assert found.run().dead == 4
    assert [r and r["R"] for r in found.rows()] == [1.0, None, 2.0, 3.0]
    dead = found.dead()
    assert [(key, value) for key, value, _ in dead] == [
        (source[i].key, source[i].value) for i in (1, 2, 3, 4)
    ]
    assert [h["CODE"] for _, _, h in dead] == [
        *(b"DESERIALIZATION_ERROR", b"DESERIALIZATION_ERROR", b"INVALID_INPUT", b"DESERIALIZATION_ERROR")
    ]
    assert dead[2][2] == {
        "trace": b"7",
        "CODE": b"INVALID_INPUT",
        "MESSAGE": b"no root",
        "FUNCTION": b"ROOT",
        "TOPIC": b"in",
        "PARTITION": b"0",
        "OFFSET": b"3",
    }
    assert [s.timestamp for _, s in found.cluster.topics["T_DEAD"]] == [51, 52, 53, 54]
    assert found.cluster.committed == {0: 7}


def test_a_row_past_kafkas_limit_is_a_dead_letter(tmp_path: Path) -> None:
    given = [(5, ()), (5_000, ()), (6, (("h", b"y" * 4_000),)), (7, (("h", b"y"),))]
    source = {0: [Sent(b"k", orjson.dumps({"N": n}), 0, headers) for n, headers in given]}
    found = whole(tmp_path, source, "K, LPAD('x', N, 'x') AS L", columns="N INT", largest=6_000)
    found.run()
    assert [len(r["L"]) for r in found.rows()] == [5, 7]
    assert [(h["CODE"], h["OFFSET"]) for _, _, h in found.dead()] == [
        (b"TOO_LARGE", b"1"),
        (b"TOO_LARGE", b"2"),
    ]
    assert found.cluster.committed == {0: 4}


@pytest.mark.parametrize(
    ("sent", "omitted"),
    [
        (Sent(b"k", b"{" + b"z" * 9_000), b"value of 9001 bytes"),
        (Sent(b"k", b"{", 0, (("h", b"y" * 9_000),)), b"value of 1 bytes, 1 headers"),
        (Sent(b"k" * 9_000, b"{"), b"value of 1 bytes, key of 9000 bytes"),
    ],
)
def test_a_dead_letter_past_kafkas_limit_leaves_out_what_it_must(
    tmp_path: Path, sent: Sent, omitted: bytes
) -> None:
    found = whole(tmp_path, {0: [sent]}, largest=6_000)
    found.run()
    ((key, value, headers),) = found.dead()
    assert value is None
    assert headers["OMITTED"] == omitted
    assert (headers["TOPIC"], headers["OFFSET"]) == (b"in", b"0")
    assert len(key or b"") + sum(len(v) for v in headers.values()) < 6_000


def test_what_a_topic_never_takes_ends_it_with_a_word(tmp_path: Path) -> None:
    found = whole(tmp_path, rows(1, 10))
    found.cluster.troubles = {"commit": [trouble(kafka.KafkaError.INVALID_RECORD, abort=True)]}
    with pytest.raises(ServerError, match="does not take") as raised:
        found.run()
    assert "T, T_DEAD" in (raised.value.hint or "")
    assert found.cluster.committed == {}


@pytest.mark.parametrize("step", ["begin", "produce", "offsets", "commit", "abort"])
def test_a_transaction_that_fails_is_done_again(tmp_path: Path, step: str) -> None:
    found = whole(tmp_path, rows(2, 30), max_rows=40)
    found.cluster.troubles = {step: [trouble(kafka.KafkaError.ILLEGAL_GENERATION, abort=True)]}
    if step == "abort":
        found.cluster.troubles["commit"] = [trouble(1, abort=True)]
    assert found.run().aborted == 1
    once_each(found, 2, 30)
    assert len(found.cluster.producers) == (2 if step == "abort" else 1)


@pytest.mark.parametrize("step", ["produce", "offsets", "commit", "committed"])
def test_a_producer_that_is_fenced_is_made_anew(tmp_path: Path, step: str) -> None:
    """`committed` is the error that comes where the transaction is through: nothing is written twice."""
    found = whole(tmp_path, rows(2, 30), max_rows=40)
    found.cluster.troubles = {step: [trouble(FENCED, fatal=True)]}
    found.run()
    once_each(found, 2, 30)
    assert len(found.cluster.producers) == 2


class Taking(Server):
    """A server that is away at its second call, while partitions move."""

    def __init__(self, then: Callable[[], object]) -> None:
        super().__init__(root)
        self.then = then

    def send(self, *args: Any, **more: Any) -> Any:
        if len(self.calls) == 1:
            self.replies = [503]
            self.then()
        return super().send(*args, **more)


@pytest.mark.parametrize("back", [True, False])
def test_partitions_taken_while_rows_wait(tmp_path: Path, back: bool) -> None:
    server = Taking(lambda: found.cluster.events.append(lambda c: c.take(0)))
    found = whole(tmp_path, rows(2, 30), server=server, max_rows=60)
    if back:
        # Another process got a little further meanwhile.
        def give_back(consumer: Any) -> None:
            found.cluster.committed[0] = 10
            consumer.give([0])

        server.then = lambda: found.cluster.events.extend([lambda c: c.take(0), lambda _: None, give_back])
    tally = found.run()
    assert tally.aborted == 1
    assert [r["X"] for r in found.rows(1)] == list(range(30))
    assert [r["X"] for r in found.rows(0)] == (list(range(10, 30)) if back else [])


def test_a_stop_leaves_nothing_half_done(tmp_path: Path) -> None:
    found = whole(tmp_path, rows(1, 50), max_rows=20, to_end=False)
    found.cluster.events = [lambda _: None, lambda _: found.stop.set()]
    tally = found.run()
    assert found.cluster.commits == [20] * tally.transactions
    assert found.cluster.committed == {0: 20 * tally.transactions}


def test_versions_change_between_two_transactions(tmp_path: Path) -> None:
    live = [ROOT, entry("TWICE")]
    server = Server(lambda x: float(server.calls[-1][0].split("@")[1].split(":")[0]))
    spec = query(tmp_path, "K, X, ROOT(X) AS R, TWICE(X) AS T")
    found = Whole(spec, server, live, Cluster(rows(1, 60)), max_rows=20)

    def promote(_: Any) -> None:
        found.manifest.functions = tuple(replace(e, version=2) for e in live)
        found.versions.look()

    # Consuming is two calls a batch: the promotion is seen while the second batch is read.
    found.cluster.events = [lambda _: None, lambda _: None, promote]
    found.run()
    assert [(r["R"], r["T"]) for r in found.rows()] == [(1.0, 1.0)] * 40 + [(2.0, 2.0)] * 20
    once_each(found, 1, 60)


def test_a_version_that_is_gone_is_looked_for(tmp_path: Path) -> None:
    server = Server(root, [404])
    found = whole(tmp_path, rows(1, 10), server=server)
    found.manifest.functions = (replace(ROOT, version=2),)
    assert found.run().aborted == 1
    assert [path for path, _, _ in server.calls] == [
        "/v1/functions/ROOT@1:batch",
        "/v1/functions/ROOT@2:batch",
    ]
    once_each(found, 1, 10)


@pytest.mark.slow
def test_a_function_that_is_gone_for_good_ends_it(tmp_path: Path) -> None:
    found = whole(tmp_path, rows(1, 10), server=Server(root, [404] * 9))
    with pytest.raises(ServerError, match="404"):
        found.run()
    assert found.cluster.committed == {}


def test_a_function_of_other_arguments_ends_the_plan(tmp_path: Path) -> None:
    found = whole(tmp_path, rows(1, 10))
    found.manifest.functions = (entry("ROOT", args=["DOUBLE", "DOUBLE"]),)
    found.versions.look()
    with pytest.raises(Changed, match="ROOT"):
        found.run()
    assert found.cluster.consumer is not None
    assert found.cluster.consumer.closed
    assert found.cluster.committed == {}


def test_a_partition_that_was_added_ends_the_plan(tmp_path: Path) -> None:
    found = whole(tmp_path, rows(2, 10), max_rows=5)
    found.cluster.source[2] = [Sent(b"k", b'{"X": 1}')]
    with pytest.raises(Changed, match="more partitions"):
        found.run()
    assert 2 not in found.cluster.committed
    assert [r["X"] for r in found.rows(0)] == list(range(found.cluster.committed.get(0, 0)))


def test_who_leaves_in_order_takes_the_note_away(tmp_path: Path) -> None:
    found = whole(tmp_path, rows(2, 10), max_rows=5)
    found.cluster.events = [lambda _: None] * 3 + [lambda c: c.take(0)]
    found.run()
    assert found.cluster.notes == {0: "", 1: ""}
    assert found.cluster.committed[1] == 10


def test_who_is_stopped_in_a_transaction_leaves_the_note(tmp_path: Path) -> None:
    found = whole(tmp_path, rows(1, 10), max_rows=5)
    late = trouble(kafka.KafkaError._TIMED_OUT, retriable=True)
    # Consuming is two calls a batch; the stop comes while the second commit is asked again.
    found.cluster.troubles = {"commit": []}
    found.cluster.events = [
        lambda _: None,
        lambda _: found.cluster.troubles["commit"].append(late),
        lambda _: None,
        lambda _: found.stop.set(),
    ]
    found.run()
    assert found.cluster.committed == {0: 5}
    assert (found.cluster.notes[0] or "").startswith("g-")
