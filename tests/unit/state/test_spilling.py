"""Stores that keep few entries in memory: what stays, what is read back, what is deleted in the log."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from ksqlkit.engine.log import Commit, MemoryLog
from ksqlkit.engine.state.codec import CODEC
from ksqlkit.engine.state.join_store import JoinStore, OuterStore
from ksqlkit.engine.state.session_store import SessionStore
from ksqlkit.engine.state.spilling import Backing, SpillingStore, prefix_of, stamp, unstamp
from ksqlkit.engine.state.table_store import TableStore
from ksqlkit.engine.state.window_store import WindowStore


class Disk:
    """A log that counts what is asked of it."""

    def __init__(self, hot: int) -> None:
        self.log = MemoryLog()
        self.hot = hot
        self.asked = 0

    def get_state(self, store: str, key: bytes) -> bytes | None:
        self.asked += 1
        return self.log.get_state(store, key)

    def get_states(self, store: str, keys: Any) -> dict[bytes, bytes]:
        self.asked += 1
        return self.log.get_states(store, keys)

    def scan_state(self, store: str, low: bytes = b"", high: bytes | None = None, batch: int = 64) -> Any:
        self.asked += 1
        return self.log.scan_state(store, low, high, batch)

    def under(self, store: Any) -> Any:
        store.attach(Backing(self, store.name, CODEC, self.hot))
        self.asked = 0
        return store

    def commit(self, store: SpillingStore) -> None:
        state, gone = {store.name: store.drain(CODEC)}, store.cleared()
        self.log.commit(Commit(state=state, cleared={} if gone is None else {store.name: gone}))
        store.settle()

    @property
    def keys(self) -> list[bytes]:
        return [key for key, _ in self.log.load_state("s") if key]


@pytest.mark.parametrize("moments", [[-5, -1, 0, 1, 255, 256, 1 << 40]])
def test_stamps_are_ordered_as_times_are(moments: list[int]) -> None:
    assert [unstamp(stamp(m) + b"rest") for m in moments] == moments
    assert sorted(map(stamp, moments)) == [stamp(m) for m in moments]


def test_no_key_is_the_beginning_of_another() -> None:
    assert not prefix_of(1, CODEC.encode(12)).startswith(prefix_of(1, CODEC.encode(1)))


def window(store: WindowStore, start: int, key: Any, entry: Any) -> None:
    held = store.data.get(start)
    (store.open(start) if held is None else held)[key] = entry
    store.changes(start).add(key)


def filled(disk: Disk) -> WindowStore:
    """Ten windows of ten keys, a commit for each."""
    store: WindowStore = disk.under(WindowStore("s", retention=80))
    for start in range(0, 100, 10):
        for key in range(10):
            window(store, start, key, (start, key))
        disk.commit(store)
    return store


def test_few_windows_stay_in_memory_and_all_are_there() -> None:
    disk = Disk(hot=30)
    store = filled(disk)
    assert disk.asked == 0  # nothing was late, so nothing was looked up
    assert 0 < sum(map(len, store.data.values())) <= 30
    everything = [(start, {k: (start, k) for k in range(10)}) for start in range(20, 100, 10)]
    assert list(store.windows(0, 1000)) == everything
    assert sorted(store.places(0, 1000)) == [(start, k) for start, held in everything for k in held]
    assert list(store.starts_of(3, 30, 55)) == [30, 40, 50]
    assert store.get(20, 3) == (20, 3)
    assert store.get(10, 3) is store.get(20, 77) is store.get(15, 3) is None
    assert len(disk.keys) == 80  # windows that retention has passed are gone from the log, too


def test_a_late_row_reads_its_key_alone() -> None:
    disk = Disk(hot=30)
    store = filled(disk)
    assert store.open(30).get(5) == (30, 5)
    window(store, 30, 5, (30, "late"))
    window(store, 25, 1, (25, "new"))
    assert disk.asked == 3  # is there something of the window, the key, something of the other window
    assert len(store.data[30]) == 1
    assert store.get(30, 5) == (30, "late")
    assert store.get(30, 6) == (30, 6)
    assert dict(store.windows(30, 30)) == {30: {k: (30, k) for k in range(10)} | {5: (30, "late")}}
    disk.commit(store)
    again: WindowStore = disk.under(WindowStore("s", retention=80))
    assert again.get(30, 5) == (30, "late")
    assert list(again.starts_of(1, 0, 100)) == [20, 25, 30, 40, 50, 60, 70, 80, 90]


def test_taking_a_store_up_reads_none_of_its_entries() -> None:
    disk = Disk(hot=1000)
    filled(disk)
    store = WindowStore("s", retention=80)
    disk.under(store)
    assert (store.time, store.data) == (90, {})
    window(store, 100, "x", (1,))  # and what is opened now is new
    assert disk.asked == 0
    assert [start for start, _ in store.windows(0, 1000)] == [30, 40, 50, 60, 70, 80, 90, 100]


def test_large_entries_count_more() -> None:
    disk = Disk(hot=1000)
    store: WindowStore = disk.under(WindowStore("s", retention=1000))
    for start in range(10):
        window(store, start, "k", (start, ["x" * 100_000]))
        disk.commit(store)
    assert len(store.data) < 4
    assert store.get(0, "k") == (0, ["x" * 100_000])


def test_sessions_are_read_back_merged_and_forgotten() -> None:
    disk = Disk(hot=1)
    store: SessionStore = disk.under(SessionStore("s", 100_000, ordered=True))
    for end in (10, 30, 50):
        store.put("a", end, end - 5, (end,))
        store.put(("b", 1), end, end, (end,))
        disk.commit(store)
    assert store.data == {}
    assert store.find("a", 25, 40) == [(30, 25, (30,))]
    store.remove("a", 30, 25)
    assert store.find("a", 25, 40) == []
    store.put("a", 40, 25, ("merged",))
    assert store.sessions_of("a") == [(5, 10), (25, 40), (45, 50)]
    everything = Counter(
        [("a", 5, 10), ("a", 25, 40), ("a", 45, 50), *((("b", 1), e, e) for e in (10, 30, 50))]
    )
    assert Counter(store.places()) == everything
    disk.commit(store)
    assert Counter(store.places()) == everything
    assert [(e, k) for _, e, k, _ in store.closed(20, 45, CODEC.encode)] == [(30, ("b", 1)), (40, "a")]
    assert store.get("a", 25, 40) == ("merged",)
    assert store.get("a", 25, 30) is None
    store.put("a", 400_000, 400_000, ("x",))
    disk.commit(store)
    assert len(disk.keys) == 2  # the session, and its place among those ordered by end
    again: SessionStore = disk.under(SessionStore("s", 100_000, ordered=True))
    assert list(again.places()) == [("a", 400_000, 400_000)]


def test_records_of_a_join_are_read_back_in_order_and_once() -> None:
    disk = Disk(hot=4)
    store: JoinStore = disk.under(JoinStore("s", retention=1_000))
    for moment in range(0, 100, 10):
        store.put("a", moment, (moment,))
        disk.commit(store)
    assert disk.asked == 0
    store.put("a", 30, ("late",))
    assert store.fetch("a", 15, 40) == [(20, 3, (20,)), (30, 4, (30,)), (30, 11, ("late",)), (40, 5, (40,))]
    disk.commit(store)
    assert store.fetch("a", 30, 30) == [(30, 4, (30,)), (30, 11, ("late",))]
    assert [t for t, _, _ in store.fetch("a", 0, 200)] == [0, 10, 20, 30, 30, 40, 50, 60, 70, 80, 90]
    again: JoinStore = disk.under(JoinStore("s", retention=1_000))
    again.put("a", 95, ("next",))
    assert again.fetch("a", 90, 99) == [(90, 10, (90,)), (95, 12, ("next",))]
    again.put("b", 10_000_000, ("far",))
    disk.commit(again)
    assert len(disk.keys) == 1


def test_records_without_a_partner_are_walked_from_log_and_memory() -> None:
    disk = Disk(hot=2)
    store: OuterStore = disk.under(OuterStore("s"))
    for moment in (5, 7, 9, 11):
        store.add((moment, 1, b"a"), ("a",), (moment,))
        disk.commit(store)
    store.add((7, 1, b"a"), ("a",), ("second",))
    store.add((7, 0, b"z"), ("z",), ("other side",))
    store.discard((5, 1, b"a"))
    expected = [(7, ("other side",)), (7, (7,)), (7, ("second",)), (9, (9,)), (11, (11,))]
    assert [(place[0], tuple(values)) for place, _, values in store] == expected
    disk.commit(store)
    assert [(place[0], tuple(values)) for place, _, values in store] == expected
    store.discard((7, 1, b"a"))
    store.add((7, 1, b"a"), ("a",), ("again",))
    assert [tuple(v) for place, _, v in store if place[1] == 1] == [("again",), (9,), (11,)]
    disk.commit(store)
    again = disk.under(OuterStore("s"))
    assert [tuple(v) for place, _, v in again if place[1] == 1] == [("again",), (9,), (11,)]


def test_tables_keep_the_keys_in_use() -> None:
    disk = Disk(hot=5)
    store: TableStore = disk.under(TableStore("s"))
    data = store.data  # generated code holds on to it
    for key in range(100):
        store.put(key, (key,))
        disk.commit(store)
    assert len(store.data) <= 20
    assert [data.get(key) for key in (0, 99, 100)] == [(0,), (99,), None]
    assert 0 in store.data  # read once, for those who ask again
    assert sorted(store.places()) == list(range(100))
    store.put(5, None)
    store.data.pop(6, None)
    store.dirty.add(6)
    assert data.get(5) is data.get(6) is None
    assert sorted(store.places()) == [k for k in range(100) if k not in (5, 6)]
    store.put(5, ("again",))
    disk.commit(store)
    again: TableStore = disk.under(TableStore("s"))
    assert len(again.data) == 20
    assert {key: again.data.get(key) for key in again.places()} == {
        k: ("again",) if k == 5 else (k,) for k in range(100) if k != 6
    }
    assert len(again.data) == 20  # who walks over all of it does not bring it into memory


def test_a_small_table_is_all_in_memory() -> None:
    disk = Disk(hot=5)
    store: TableStore = disk.under(TableStore("s"))
    for key in range(20):
        store.put(key, (key,))
    disk.commit(store)
    again: TableStore = disk.under(TableStore("s"))
    assert again.data == {key: (key,) for key in range(20)}
    assert again.data.get(77) is None
    assert disk.asked == 0
