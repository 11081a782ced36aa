"""Stores: what they write, take back and let expire."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from ksqlkit.engine.log import Commit, MemoryLog
from ksqlkit.engine.state.codec import CODEC, decode_entry, decode_key, encode
from ksqlkit.engine.state.join_store import JoinStore, OuterStore
from ksqlkit.engine.state.session_store import SessionStore
from ksqlkit.engine.state.spilling import Backed, Backing
from ksqlkit.engine.state.store import Scalars, Store
from ksqlkit.engine.state.subscription_store import Subscription, SubscriptionStore
from ksqlkit.engine.state.table_store import TableStore
from ksqlkit.engine.state.window_store import WindowStore


class Disk:
    """What a log holds of one store, and the store over it."""

    def __init__(self, hot: int = 1000) -> None:
        self.log = MemoryLog()
        self.hot = hot

    def take(self, store: Store | Backed) -> int:
        changed = store.drain(CODEC)
        spilling = isinstance(store, Backed)
        gone = store.cleared() if spilling else None
        self.log.commit(
            Commit(state={store.name: changed}, cleared={} if gone is None else {store.name: gone})
        )
        assert store.drain(CODEC) == {}
        if isinstance(store, Backed):
            store.settle()
        return len(changed)

    def give(self, store: Any) -> Any:
        if isinstance(store, Backed):
            store.attach(Backing(self.log, store.name, CODEC, self.hot))
        else:
            store.restore(self.log.load_state(store.name), CODEC)
        return store

    @property
    def entries(self) -> list[bytes]:
        """Keys of what is held, without the store's own numbers."""
        return [key for key, _ in self.log.load_state("s") if key]


@pytest.mark.parametrize(
    "entry",
    [
        (1, "a", None), (1, 2.5, math.inf), (5, [1, [2]], {"a": [1]}), ((1, None, "x"), 7), (0, Decimal("1.20")),
        (1, b"\\x00"), (), (1, 1 << 70), (1, {1: "int key"}), (1, "null"), ((Decimal(1),), 2),
    ],
)  # fmt: skip
def test_entries_survive(entry: Any) -> None:
    assert decode_entry(encode(entry)) == entry
    assert repr(decode_entry(encode(entry))) == repr(entry)


@pytest.mark.parametrize(
    "key", ["a", 5, 1.5, True, b"k", Decimal("1.0"), ("a", 1), (("x", (1, 2)), 3), (7, "null")]
)
def test_keys_survive(key: Any) -> None:
    assert repr(decode_key(encode(key))) == repr(key)


def test_table_store_writes_only_changes() -> None:
    disk, store = Disk(), TableStore("s")
    store.put("a", (1, 2))
    store.put("b", (3, 4))
    assert disk.take(store) == 2
    store.put("a", None)
    assert disk.take(store) == 1
    assert disk.give(TableStore("s")).data == {"b": (3, 4)}


def test_window_store_drops_whole_windows_and_forgets_them_on_disk() -> None:
    disk = Disk()
    store = disk.give(WindowStore("s", retention=20))
    for start in (0, 10, 20, 30):
        store.open(start)["k"] = (start,)
        store.changes(start).add("k")
        disk.take(store)
    assert sorted(store.data) == [20, 30]
    assert len(disk.entries) == 2
    again = disk.give(WindowStore("s", retention=20))
    assert again.data == {}
    assert (
        list(again.windows(0, 100)) == list(store.windows(0, 100)) == [(20, {"k": (20,)}), (30, {"k": (30,)})]
    )
    assert again.time == 30


def test_window_store_with_slack_keeps_a_window_of_exactly_its_age() -> None:
    store = WindowStore("s", 20, 0)
    for start in (10, 30):
        store.open(start)
    assert sorted(store.data) == [10, 30]


def test_session_store_finds_removes_and_expires_by_segment() -> None:
    disk = Disk()
    store = disk.give(SessionStore("s", retention=100_000))
    store.put("k", 10, 5, ("x",))
    store.put("k", 30, 20, ("y",))
    assert store.find("k", 10, 20) == [(10, 5, ("x",)), (30, 20, ("y",))]
    assert store.find("k", 11, 19) == []
    store.remove("k", 10, 5)
    disk.take(store)
    assert list(disk.give(SessionStore("s", 100_000)).places()) == [("k", 20, 30)]
    store.put("k", 260_000, 260_000, ("z",))
    assert store.data == {"k": [(260_000, 260_000, ("z",))]}
    disk.take(store)
    assert len(disk.entries) == 1


def test_join_store_orders_by_time_then_arrival_and_expires() -> None:
    disk = Disk()
    store = disk.give(JoinStore("s", retention=1_000))
    for moment, value in ((50, "a"), (20, "b"), (50, "c")):
        store.put("k", moment, (value,))
    assert [v for _, _, (v,) in store.fetch("k", 0, 100)] == ["b", "a", "c"]
    disk.take(store)
    again = disk.give(JoinStore("s", 1_000))
    assert again.fetch("k", 50, 50) == store.fetch("k", 50, 50)
    store.put("k", 1_049, ("d",))
    assert [v for _, _, (v,) in store.fetch("k", 0, 2_000)] == ["a", "c", "d"]
    store.put("other", 10_000_000, ("e",))
    disk.take(store)
    assert len(disk.entries) == 1


def test_outer_store_is_walked_in_key_order() -> None:
    disk, store = Disk(), OuterStore("s")
    store.add((7, 1, b"k"), ("k",), (1,))
    store.add((7, 0, b"k"), ("k",), (2,))
    store.add((5, 1, b"z"), ("z",), (3,))
    store.add((7, 1, b"k"), ("k",), (4,))
    assert [v for _, _, (v,) in store] == [3, 2, 1, 4]
    store.discard((7, 0, b"k"))
    disk.take(store)
    assert [tuple(v) for _, _, v in disk.give(OuterStore("s"))] == [(3,), (1,), (4,)]


def test_subscriptions_come_in_byte_order_of_the_left_keys() -> None:
    disk, store = Disk(), SubscriptionStore("s")
    for left in (b"b", b"a", b"c"):
        store.put("x", left, Subscription(left.decode(), 0, b"d"))
    store.put("x", b"c", None)
    disk.take(store)
    assert [s.key for s in disk.give(SubscriptionStore("s")).of("x")] == ["a", "b"]
    assert store.of("y") == []


def test_scalars_are_written_when_they_change() -> None:
    disk, store = Disk(), Scalars("s", -1, -1)
    assert disk.take(store) == 0
    store.values[0] = 5
    assert disk.take(store) == 1
    assert disk.give(Scalars("s", -1, -1)).values == [5, -1]
