from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from udf_server.memory.local import LocalMemory
from udf_server.memory.packing import pack, unpack
from udf_server.memory.protocol import Memory
from udf_server.memory.rows import PARTITIONS, REMEMBERED, SeenRows
from udf_server.memory.sqlite import SqliteMemory


@pytest.fixture(params=["local", "sqlite"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Memory:
    return (
        LocalMemory(limit=3)
        if request.param == "local"
        else SqliteMemory(tmp_path / "deep" / "m.db", limit=3)
    )


def test_a_block_that_raises_leaves_no_trace(memory: Memory) -> None:
    with memory.transaction("s") as space:
        space.put("a", b"1")

    def fail() -> None:
        with memory.transaction("s") as space:
            space.put("a", b"2")
            space.delete("a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with memory.transaction("s") as space:
        assert space.get("a") == b"1"
    with memory.transaction("other") as space:
        assert space.get("a") is None
    memory.close()


def test_the_least_recently_used_is_forgotten(memory: Memory) -> None:
    with memory.transaction("s") as space:
        for key in "abc":
            space.put(key, b"1")
        space.put("a", b"2")
        space.put("d", b"1")
    for _ in range(64):  # the file is tidied now and then
        with memory.transaction("s") as space:
            keys = list(space.keys())
    assert keys == ["c", "a", "d"]
    memory.close()


def test_two_servers_on_one_file_lose_no_update(tmp_path: Path) -> None:
    def count(memory: SqliteMemory) -> None:
        for _ in range(50):
            with memory.transaction("s") as space:
                space.put("n", str(int(space.get("n") or b"0") + 1).encode())

    memories = [SqliteMemory(tmp_path / "m.db") for _ in range(2)]
    threads = [threading.Thread(target=count, args=(m,)) for m in memories for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with memories[0].transaction("s") as space:
        assert space.get("n") == b"200"
    for memory in memories:
        memory.close()


def test_packing_keeps_values_and_types() -> None:
    state = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "n": [1, None, "é"],
        "b": np.zeros((0, 4)),
        "m": {"x": 1.5},
    }
    found = unpack(pack(state))
    assert found["n"] == state["n"]
    assert found["m"] == state["m"]
    assert found["a"].dtype == np.float32
    assert (found["a"] == state["a"]).all()
    assert found["b"].shape == (0, 4)
    found["a"][0, 0] = 9  # may be written to


@pytest.mark.parametrize("spoiled", [b"", b"abc", b"\xff\xff\xff\xff{}", pack({"a": np.ones(9)})[:-5]])
def test_rubbish_is_no_state(spoiled: bytes) -> None:
    with pytest.raises(ValueError, match="no state"):
        unpack(spoiled)


def test_seen_rows_are_bounded() -> None:
    seen = SeenRows()
    for at in range(REMEMBERED + 10):
        seen.add(at, (f"t{at % (PARTITIONS + 5)}", 0, at), float(at))
    again = SeenRows(seen.state())
    assert len(again.answers) == REMEMBERED
    assert len(again.offsets) == PARTITIONS
    assert not again.seen(3, None)
    assert again.seen(REMEMBERED + 9, None)
    last = REMEMBERED + 9
    assert again.seen(0, (f"t{last % (PARTITIONS + 5)}", 0, last))
    assert not again.seen(0, (f"t{last % (PARTITIONS + 5)}", 0, last + 1))
