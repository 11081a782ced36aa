"""States of series: drafts, commits, aborts."""

from __future__ import annotations

import pytest

from ksqlkit.processor.state import SeriesState, TopicMemory


def test_a_draft_is_seen_and_goes_with_the_transaction() -> None:
    memory, state = TopicMemory(), SeriesState({"f\0a": b"1", "g\0a": b"other"})
    memory.use(state)
    with memory.transaction("f") as space:
        space.put("b", b"2")
        assert space.get("a") == b"1"
    with memory.transaction("f") as space:
        assert space.get("b") == b"2"
        space.delete("a")
        assert sorted(space.keys()) == ["b"]
    assert state.draft == {"f\0b": b"2", "f\0a": None}
    state.abort()
    with memory.transaction("f") as space:
        assert sorted(space.keys()) == ["a"]
        space.put("a", b"3")
    state.commit()
    assert state.committed == {"f\0a": b"3", "g\0a": b"other"}
    assert state.draft == {}


def test_a_block_that_raises_leaves_no_trace() -> None:
    memory, state = TopicMemory(), SeriesState()
    memory.use(state)

    def fail() -> None:
        with memory.transaction("f") as space:
            space.put("a", b"1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert state.draft == {}


def test_who_comes_late_writes_into_nothing() -> None:
    memory, state, other = TopicMemory(), SeriesState(), SeriesState()
    memory.use(state)
    with memory.transaction("f") as late:
        state.abort()  # the transaction was given up meanwhile
        memory.use(other)
        late.put("a", b"1")
    assert state.draft == other.draft == {}
