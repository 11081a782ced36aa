"""Writing: formats, timestamps, partitions, headers, what cannot be written."""

from __future__ import annotations

from ksqlkit.engine.log.partitioner import partition_for
from ksqlkit.engine.results import Tombstone
from tests.support.streaming import STREAM_L, engine, errors, feed, plain, records


def test_timestamp_column() -> None:
    made = engine(
        STREAM_L, "CREATE STREAM O WITH (timestamp='T') AS SELECT ID, CAST(V AS BIGINT) AS T FROM L;"
    )
    feed(made, [("L", "a", {"V": 77}, 5), ("L", "b", {"V": -1}, 6), ("L", "c", {}, 7), ("L", "d", None, 3)])
    assert plain(records(made)) == [("a", {"T": 77}, 77), ("d", None, 7)]
    assert sum(e.startswith("Error writing row with extracted timestamp") for e in errors(made)) == 2


def test_partition_follows_the_key_bytes() -> None:
    made = engine(STREAM_L, "CREATE STREAM O WITH (partitions=5) AS SELECT * FROM L;")
    feed(made, [("L", f"k{i}", {"V": i}, i) for i in range(20)], each=False)
    for p in range(5):
        assert all(partition_for(r.key, 5) == p for r in made.read("O", p, 0, 100))
    assert len(records(made)) == 20


def test_windowed_rows_go_by_the_key_without_the_window() -> None:
    query = "AS SELECT ID, COUNT(*) AS N FROM L WINDOW TUMBLING (SIZE 10 MILLISECONDS) GROUP BY ID;"
    made = engine(STREAM_L, f"CREATE TABLE O WITH (partitions=5) {query}")
    feed(made, [("L", "key", {"V": 1}, t) for t in (1, 11, 21, 31)], each=False)
    assert len(made.read("O", partition_for(b"key", 5), 0, 100)) == 4


def test_push_query_gets_selected_columns_in_order_and_marked_deletions() -> None:
    made = engine(STREAM_L)
    made.execute("CREATE TABLE T AS SELECT ID, COUNT(*) AS N FROM L GROUP BY ID HAVING COUNT(*) < 2;")
    push = made.query("SELECT N, ID FROM T EMIT CHANGES;", properties={"auto.offset.reset": "earliest"})
    feed(made, [("L", "a", {"V": 1}, 1), ("L", "a", {"V": 1}, 2), ("L", "b", {"V": 1}, 3)])
    found = push.poll()
    assert found == [(1, "a"), (None, "a"), (1, "b")]
    assert [isinstance(row, Tombstone) for row in found] == [False, True, False]
    push.close()
