"""One suite for both logs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ksqlkit.engine.log import Commit, Log, MemoryLog, Output, Record, SqliteLog, TopicInfo
from ksqlkit.errors import ServerError

DAY = 86_400_000


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    made: Log = MemoryLog() if request.param == "memory" else SqliteLog(tmp_path / "log.db")
    yield made
    made.close()


def outputs(count: int, *, topic: str = "t", partition: int = 0, start: int = 0) -> list[Output]:
    return [Output(topic, partition, 1000 + i, b"k%d" % i, b"v%d" % i) for i in range(start, start + count)]


def values(log: Log, offset: int = 0, limit: int = 1_000_000, topic: str = "t") -> list[bytes | None]:
    return [r.value for r in log.read(topic, 0, offset, limit)]


def test_topics(log: Log) -> None:
    info = TopicInfo("t", 3, 2, (("cleanup.policy", "compact"),))
    log.create_topic(info)
    log.create_topic(TopicInfo("t", 3))
    assert log.topics() == {"t": info}
    with pytest.raises(ServerError, match="exists with 3 partitions, not 4"):
        log.create_topic(TopicInfo("t", 4))
    log.delete_topic("t")
    log.delete_topic("t")
    assert log.topics() == {}
    with pytest.raises(ServerError, match="Partition 0 of topic 't' does not exist"):
        log.read("t", 0, 0, 1)


def test_records_keep_everything(log: Log) -> None:
    log.create_topic(TopicInfo("t", 2))
    headers = (("a", b"1"), ("b", None), ("a", b""))
    log.commit(
        Commit(
            outputs=[
                Output("t", 1, -5, None, None, headers),
                Output("t", 0, 7, b"", b"\x00\xff"),
                Output("t", 1, 6, b"k", b"", ()),
            ]
        )
    )
    assert log.read("t", 0, 0, 10) == [Record(0, 7, b"", b"\x00\xff", ())]
    assert log.read("t", 1, 0, 10) == [Record(0, -5, None, None, headers), Record(1, 6, b"k", b"", ())]
    assert [log.end_offset("t", p) for p in (0, 1)] == [1, 2]
    assert type(log.read("t", 0, 0, 1)[0]) is Record


@pytest.mark.parametrize("sizes", [[1] * 30, [30], [7, 1, 12, 10]])
@pytest.mark.parametrize("limit", [1, 4, 7, 100])
def test_reading_in_steps(log: Log, sizes: list[int], limit: int) -> None:
    log.create_topic(TopicInfo("t", 1))
    done = 0
    for size in sizes:
        log.commit(Commit(outputs=outputs(size, start=done)))
        done += size
    found: list[Record] = []
    while batch := log.read("t", 0, len(found), limit):
        assert len(batch) <= limit
        found += batch
    assert [r.offset for r in found] == list(range(30))
    assert [r.value for r in found] == [b"v%d" % i for i in range(30)]
    assert log.read("t", 0, 30, limit) == log.read("t", 0, 99, limit) == []


def test_large_commits(log: Log) -> None:
    log.create_topic(TopicInfo("t", 1))
    log.commit(Commit(outputs=outputs(12_345)))
    assert log.end_offset("t", 0) == 12_345
    assert values(log, 12_340, 3) == [b"v12340", b"v12341", b"v12342"]
    assert len(log.read("t", 0, 4_999, 7_000)) == 7_000


def test_positions_state_and_meta(log: Log) -> None:
    log.create_topic(TopicInfo("t", 1))
    log.commit(
        Commit(
            offsets={("q1", "t", 0): 5, ("q2", "t", 0): 6},
            state={"q1/a": {b"b": b"1", b"a": b"2", b"": b"0"}, "q10/a": {b"x": b"y"}},
            meta={"m": b"1", "n": b"2"},
        )
    )
    log.commit(
        Commit(
            offsets={("q1", "t", 0): 7}, state={"q1/a": {b"b": None, b"c": b"3"}}, meta={"m": None, "n": b"3"}
        )
    )
    assert log.positions("q1") == {("t", 0): 7}
    assert list(log.load_state("q1/a")) == [(b"", b"0"), (b"a", b"2"), (b"c", b"3")]
    assert log.load_meta() == {"n": b"3"}
    log.drop_consumer("q1")
    assert log.positions("q1") == {}
    assert log.positions("q2") == {("t", 0): 6}
    assert list(log.load_state("q1/a")) == []
    assert list(log.load_state("q10/a")) == [(b"x", b"y")]
    assert list(log.load_state("never")) == []
    log.commit(Commit(state={"q1/a": {b"z": b"1"}}))
    assert list(log.load_state("q1/a")) == [(b"z", b"1")]


def test_much_state_in_order(log: Log) -> None:
    entries: dict[bytes, bytes | None] = {b"%05d" % (i * 7919 % 10_000): b"%d" % i for i in range(10_000)}
    log.commit(Commit(state={"s": entries}))
    assert list(log.load_state("s")) == sorted(entries.items())


def test_state_by_key_and_by_range(log: Log) -> None:
    log.commit(Commit(state={"s": {b"%04d" % i: b"%d" % i for i in range(1000)}, "t": {b"0001": b"x"}}))
    assert log.get_state("s", b"0042") == b"42"
    assert log.get_state("s", b"9") is log.get_state("never", b"9") is None
    wanted = [b"%04d" % i for i in range(0, 2000, 7)]
    assert log.get_states("s", wanted) == {k: b"%d" % int(k) for k in wanted if int(k) < 1000}
    assert log.get_states("s", []) == log.get_states("never", wanted) == {}
    assert [k for k, _ in log.scan_state("s", b"0100", b"0500")] == [b"%04d" % i for i in range(100, 500)]
    assert [k for k, _ in log.scan_state("s", b"0998")] == [b"0998", b"0999"]
    assert not list(log.scan_state("s", b"5", b"6"))
    assert not list(log.scan_state("never"))
    # Ranges go before the entries of the same commit come.
    log.commit(
        Commit(
            state={"s": {b"0005": b"new", b"0020": None, b"0000a": b"between"}},
            cleared={"s": (b"0001", b"0010")},
        )
    )
    assert [v for _, v in log.scan_state("s", b"", b"0012")] == [b"0", b"between", b"new", b"10", b"11"]
    assert log.get_state("s", b"0020") is None
    assert log.get_state("t", b"0001") == b"x"
    log.commit(Commit(cleared={"never": (b"", b"z"), "s": (b"", b"1")}))
    assert not list(log.load_state("s"))


def test_deleting_a_topic_forgets_positions_in_it(log: Log) -> None:
    log.create_topic(TopicInfo("t", 1))
    log.commit(Commit(outputs=outputs(3), offsets={("q", "t", 0): 3}))
    log.delete_topic("t")
    assert log.positions("q") == {}
    log.create_topic(TopicInfo("t", 1))
    assert log.end_offset("t", 0) == 0
    assert values(log) == []


def test_a_refused_commit_changes_nothing(log: Log) -> None:
    log.create_topic(TopicInfo("t", 1))
    bad = Commit(
        outputs=[*outputs(2), Output("gone", 0, 0, None, None)],
        offsets={("q", "t", 0): 1},
        state={"s": {b"k": b"v"}},
        meta={"m": b"1"},
    )
    with pytest.raises(ServerError, match="'gone' does not exist"):
        log.commit(bad)
    assert log.end_offset("t", 0) == 0
    assert (values(log), log.positions("q"), list(log.load_state("s")), log.load_meta()) == ([], {}, [], {})


def fill(log: Log, config: dict[str, str], batches: list[list[Output]]) -> None:
    log.create_topic(TopicInfo("t", 1, 1, tuple(config.items())))
    for batch in batches:
        log.commit(Commit(outputs=batch))


@pytest.mark.parametrize("split", [1, 3, 10])
def test_retention_by_time(log: Log, split: int) -> None:
    records = outputs(10)
    fill(log, {"retention.ms": "100"}, [records[i : i + split] for i in range(0, 10, split)])
    assert log.maintain(1104) == 4  # timestamps 1000 to 1003 are too old
    assert log.begin_offset("t", 0) == 4
    assert [r.offset for r in log.read("t", 0, 0, 2)] == [4, 5]
    assert log.maintain(9999) == 6
    assert (log.begin_offset("t", 0), log.end_offset("t", 0)) == (10, 10)
    log.commit(Commit(outputs=outputs(1)))
    assert [r.offset for r in log.read("t", 0, 0, 2)] == [10]


@pytest.mark.parametrize("split", [1, 3, 10])
def test_retention_by_size(log: Log, split: int) -> None:
    records = outputs(10)  # 4 bytes each
    fill(log, {"retention.bytes": "15"}, [records[i : i + split] for i in range(0, 10, split)])
    assert log.maintain(0) == 7
    assert [r.offset for r in log.read("t", 0, 0, 9)] == [7, 8, 9]


def test_without_settings_everything_stays(log: Log) -> None:
    fill(log, {}, [outputs(5)])
    assert log.maintain(10**15) == 0
    assert len(values(log)) == 5


@pytest.mark.parametrize("split", [1, 4, 100])
def test_compaction(log: Log, split: int) -> None:
    keys = [b"a", b"b", b"a", None, b"c", b"b", b"c", b"a"]
    records = [Output("t", 0, 1000 + i, k, b"%d" % i) for i, k in enumerate(keys)]
    records[5] = records[5]._replace(value=None)
    batches = [records[i : i + split] for i in range(0, len(records), split)]
    fill(log, {"cleanup.policy": "compact", "retention.ms": "1", "segment.bytes": "1"}, batches)
    assert log.maintain(2000) == 4
    kept = [(3, b"3"), (5, None), (6, b"6"), (7, b"7")]
    assert [(r.offset, r.value) for r in log.read("t", 0, 0, 100)] == kept
    assert [r.offset for r in log.read("t", 0, 4, 2)] == [5, 6]
    assert [r.offset for r in log.read("t", 0, 6, 1)] == [6]
    assert (log.begin_offset("t", 0), log.end_offset("t", 0)) == (0, 8)
    log.commit(Commit(outputs=[Output("t", 0, DAY, b"a", b"8")] * 4))
    assert log.maintain(1005 + DAY + 1) == 5  # the tombstone is a day old now
    assert [r.offset for r in log.read("t", 0, 0, 100)] == [3, 6, 11]


def test_compaction_waits_for_a_segment_of_new_records(log: Log) -> None:
    records = [Output("t", 0, 1000, b"k", b"%03d" % i) for i in range(9)]  # 4 bytes each
    fill(log, {"cleanup.policy": "compact", "segment.bytes": "40"}, [records])
    assert log.maintain(2000) == 0
    log.commit(Commit(outputs=records[:1]))
    assert log.maintain(2000) == 9
    log.commit(Commit(outputs=records))
    assert log.maintain(2000) == 0
    log.commit(Commit(outputs=records[:1]))
    assert log.maintain(2000) == 10


def test_compaction_with_retention(log: Log) -> None:
    records = [Output("t", 0, 1000 + i, b"k%d" % (i % 3), b"") for i in range(9)]
    fill(log, {"cleanup.policy": "compact,delete", "retention.ms": "100", "segment.bytes": "1"}, [records])
    log.maintain(1107)  # 1000 to 1006 are too old
    assert [r.offset for r in log.read("t", 0, 0, 9)] == [7, 8]


def test_small_commits_still_read_the_same_after_maintenance(log: Log) -> None:
    log.create_topic(TopicInfo("t", 1))
    for i in range(40):
        log.commit(Commit(outputs=outputs(1, start=i)))
    before = log.read("t", 0, 0, 100)
    assert log.maintain(0) == 0
    assert log.read("t", 0, 0, 100) == before
    assert values(log, 17, 2) == [b"v17", b"v18"]
