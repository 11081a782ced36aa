"""Reading topics: bad records, timestamps, pseudo columns, headers, windowed keys, tables."""

from __future__ import annotations

from ksqlkit.engine.clock import FixedClock
from ksqlkit.engine.runtime.query import ProcessingError, RunningQuery
from tests.support.streaming import STREAM_L, TABLE_L, engine, errors, feed, plain, records, run


def test_bad_records_are_skipped_and_reported() -> None:
    made = engine(STREAM_L, "CREATE STREAM O AS SELECT * FROM L;")
    made.produce("L", b"a", b"not json", timestamp=1)
    made.produce("L", b"b", b'{"V": 1}', timestamp=2)
    made.run_until_idle()
    assert plain(records(made)) == [("b", {"V": 1, "G": None}, 2)]
    assert errors(made)[0].startswith("Failed to deserialize value from topic: L")


def test_a_bad_key_is_reported_as_the_key() -> None:
    made = engine(STREAM_L.replace("ID STRING", "ID INT"), "CREATE STREAM O AS SELECT * FROM L;")
    (old,) = made.context.running.values()
    found: list[ProcessingError] = []
    query = RunningQuery(
        old.plan, log=made.log, functions=made.context.functions, clock=FixedClock(0), errors=found.append
    )
    made.produce("L", b"abc", b'{"V": 1}', timestamp=1)
    assert query.poll() == 1
    assert [(e.kind, e.target, e.record, e.offset) for e in found] == [
        ("DESERIALIZATION_ERROR", "key", b"abc", 0)
    ]


def test_null_values_and_null_keys_of_streams_pass() -> None:
    out = run(
        [STREAM_L, "CREATE STREAM O AS SELECT ID, V FROM L;"],
        [("L", "a", None, 5), ("L", None, {"V": 2}, 6)],
    )
    assert out == [("a", None, 5), (None, {"V": 2}, 6)]


def test_pseudo_columns() -> None:
    out = run(
        [STREAM_L, "CREATE STREAM O AS SELECT ID, ROWTIME AS T, ROWPARTITION AS P, ROWOFFSET AS F FROM L;"],
        [("L", "a", {"V": 1}, 70), ("L", "a", {"V": 1}, 60)],
    )
    assert [v for _, v, _ in out] == [{"T": 70, "P": 0, "F": 0}, {"T": 60, "P": 0, "F": 1}]


def test_timestamp_column_sets_the_time_and_rows_without_one_are_skipped() -> None:
    source = STREAM_L.replace("partitions", "timestamp='V', partitions").replace("V INT", "V BIGINT")
    rows = [
        ("L", "a", {"V": 9}, 1),
        ("L", "a", {"V": None}, 2),
        ("L", "a", {"V": -3}, 3),
        ("L", "a", None, 4),
    ]
    made = engine(source, "CREATE STREAM O AS SELECT ID, G FROM L;")
    feed(made, rows)
    assert plain(records(made)) == [("a", {"G": None}, 9)]
    assert sum("Failed to extract timestamp" in e for e in errors(made)) == 3


def test_header_columns_and_headers_pass_through() -> None:
    made = engine(
        "CREATE STREAM L (ID STRING KEY, V INT, G BYTES HEADER('g')) "
        "WITH (kafka_topic='L', value_format='JSON', partitions=1);",
        "CREATE STREAM O AS SELECT ID, FROM_BYTES(G, 'utf8') AS G FROM L;",
    )
    made.produce("L", b"a", b'{"V":1}', timestamp=1, headers=(("g", b"one"), ("g", b"two")))
    made.produce("L", b"b", b'{"V":1}', timestamp=1)
    made.run_until_idle()
    found = records(made)
    assert [v for _, v, _ in plain(found)] == [{"G": "two"}, {"G": None}]
    assert found[0].headers == (("g", b"one"), ("g", b"two"))


def test_tables_drop_rows_without_a_key_and_pass_tombstones() -> None:
    out = run(
        [TABLE_L, "CREATE TABLE O AS SELECT ID, V FROM L;"],
        [("L", None, {"V": 1}, 1), ("L", "a", {"V": 2}, 2), ("L", "a", None, 3), ("L", "b", None, 4)],
    )
    assert out == [("a", {"V": 2}, 2), ("a", None, 3), ("b", None, 4)]


def test_tables_that_nobody_looks_into_are_not_kept() -> None:
    made = engine(TABLE_L)
    push = made.query("SELECT * FROM L EMIT CHANGES;", properties={"auto.offset.reset": "earliest"})
    feed(made, [("L", "a", {"V": 1}, 1)])
    assert push.poll() == [("a", 1, None)]
    assert "store" not in push._runner.compiled.text
    push.close()


def test_windowed_keys_are_read_and_written() -> None:
    made = engine(
        STREAM_L,
        "CREATE TABLE W AS SELECT ID, COUNT(*) AS N FROM L WINDOW TUMBLING (SIZE 10 MILLISECONDS) GROUP BY ID;",
        "CREATE STREAM S (ID STRING KEY, N BIGINT) WITH (kafka_topic='W', value_format='JSON', "
        "window_type='TUMBLING', window_size='10 MILLISECONDS');",
        "CREATE STREAM O AS SELECT ID, N, WINDOWSTART AS A, WINDOWEND AS B FROM S;",
    )
    feed(made, [("L", "a", {"V": 1}, 25)])
    (found,) = records(made)
    assert found.key == b"a" + (20).to_bytes(8, "big")
    assert found.value == b'{"N":1,"A":20,"B":30}'
