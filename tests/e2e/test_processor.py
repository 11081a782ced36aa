"""`ksqlkit process` against a real broker: rebalances, bad rows, and servers that go away and come back."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import orjson
import pytest

from ksqlkit.dialect import types as T
from ksqlkit.engine.catalog import Format
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import make_deserializer, make_serializer
from ksqlkit.engine.serde.remote_registry import RemoteRegistry
from ksqlkit.process import ServerProcess
from tests.support.kafka_broker import Broker, free_port, missing
from tests.support.kafka_processor import Processing, wait_until
from tests.support.models import linear_model
from tests.support.scoring_server import scoring_server
from udf_server.models.store import ModelStore

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.checkout]
FAST = {"KSQLKIT_KAFKA_SESSION_TIMEOUT_MS": "2000", "KSQLKIT_KAFKA_HEARTBEAT_INTERVAL_MS": "500"}


def write_query(folder: Path, topic: str, select: str, more: str = "") -> Path:
    """A processor from a topic of {"X"} to TOPIC_OUT."""
    path = folder / f"{topic}.sql"
    path.write_text(
        f"CREATE STREAM S (K STRING KEY, X DOUBLE{more}) WITH (KAFKA_TOPIC='{topic}', VALUE_FORMAT='JSON');"
        f"CREATE STREAM {topic}_OUT AS SELECT {select} FROM S;"
    )
    return path


def numbers(start: int, stop: int, partitions: int) -> list[tuple[int, bytes, bytes, int]]:
    """Records {"X": i}, round robin, in order of i."""
    return [
        (i % partitions, b"k%d" % (i % partitions), orjson.dumps({"X": i}), 1_000 + i)
        for i in range(start, stop)
    ]


def check_all_there(broker: Broker, topic: str, rows: int, partitions: int, timeout: float = 60.0) -> None:
    """Each partition has its numbers, each once, in order."""
    for partition, messages in enumerate(broker.read(topic, count=rows, timeout=timeout)):
        seen = [int(orjson.loads(m.value())["X"]) for m in messages]
        wanted = list(range(partition, rows, partitions))
        lost, twice = set(wanted) - set(seen), len(seen) - len(set(seen))
        assert seen == wanted, f"partition {partition}: {len(lost)} lost ({sorted(lost)[:5]}), {twice} twice"


def test_three_processes_share_and_take_over(broker: Broker, scoring: ServerProcess, tmp_path: Path) -> None:
    broker.create("SHARED", 6)
    query = write_query(tmp_path, "SHARED", "K, X, ROOT(X) AS R")

    def start() -> Processing:
        return Processing(query, broker.address, "--scoring", scoring.url, "--max-rows", "50", env=FAST)

    sent = 0

    def send(count: int = 600) -> None:
        nonlocal sent
        broker.produce("SHARED", numbers(sent, sent + count, 6))
        sent += count

    with start() as first, start() as second:
        send()
        for process in (first, second):
            process.says("took partitions")
        with start() as third:
            send()
            third.says("took partitions")
            send()
            second.end()
            send()
            third.kill()
            send()
            check_all_there(broker, "SHARED_OUT", sent, 6)
        done = first.end()
    assert done["dead"] == 0
    assert "gave partitions" in first.log


def test_a_process_that_comes_back_from_a_long_sleep(
    broker: Broker, scoring: ServerProcess, tmp_path: Path
) -> None:
    broker.create("SLEEP", 1)
    query = write_query(tmp_path, "SLEEP", "K, X, SLOW(X) AS R")

    def start(rows: int) -> Processing:
        return Processing(query, broker.address, "--scoring", scoring.url, "--max-rows", str(rows), env=FAST)

    broker.produce("SLEEP", numbers(0, 600, 1))
    with start(10) as first:
        wait_until(lambda: broker.has_begun("SLEEP_OUT"))
        first.process.send_signal(signal.SIGSTOP)  # in the middle of a call, most likely
        try:
            with start(200) as second:
                second.says("took partitions")
                check_all_there(broker, "SLEEP_OUT", 600, 1)
                first.process.send_signal(signal.SIGCONT)
                first.says("gave partitions")
                broker.produce("SLEEP", numbers(600, 620, 1))
                check_all_there(broker, "SLEEP_OUT", 620, 1)
                second.end()
        finally:
            first.process.send_signal(signal.SIGCONT)
        first.end()
    check_all_there(broker, "SLEEP_OUT", 620, 1)


def test_bad_rows(broker: Broker, scoring: ServerProcess, tmp_path: Path) -> None:
    broker.create("BAD", 1)
    headers = [("trace", b"7")]
    values = [
        b'{"X": 4.0}',
        b"{nonsense",
        b'{"X": "many"}',
        b'{"X": -4.0}',
        b"\xff\x00",
        b'{"X": 9.0}',
        None,
        b'{"X": 1.0, "NEW": {"deep": [1]}}',
    ]
    broker.produce("BAD", [(0, b"key%d" % i, v, 5_000 + i, headers) for i, v in enumerate(values)])
    query = write_query(
        tmp_path, "BAD", "K, ROOT(X) AS R, SAFE_ROOT(X) AS S, ROOT_DETAIL(X)->STATUS AS STATUS"
    )
    with Processing(query, broker.address, "--scoring", scoring.url, "--to-end") as process:
        done = process.end(stop=False)
    (results,) = broker.read("BAD_OUT")
    rows = {m.key(): m.value() and orjson.loads(m.value()) for m in results}
    ok = {"R": 2.0, "S": 2.0, "STATUS": "OK"}
    assert rows[b"key0"] == ok
    assert rows[b"key3"] == {"R": None, "S": -1.0, "STATUS": "INVALID_INPUT"}
    assert rows[b"key5"] == {"R": 3.0, "S": 3.0, "STATUS": "OK"}
    assert rows[b"key7"] == {"R": 1.0, "S": 1.0, "STATUS": "OK"}
    assert [m.key() for m in results] == sorted(rows)
    assert {m.headers()[0] for m in results} == {("trace", b"7")}
    (dead,) = broker.read("BAD_OUT_DEAD")
    assert done["dead"] == len(dead)
    told = [(m.key(), m.value(), dict(m.headers())) for m in dead]
    by_function = {(key, h["FUNCTION"]): (value, h) for key, value, h in told}
    value, reasons = by_function[b"key3", b"ROOT"]
    assert value == values[3]
    assert reasons == {
        "trace": b"7",
        "CODE": b"INVALID_INPUT",
        "MESSAGE": b"-4.0 has no root",
        "FUNCTION": b"ROOT",
        "TOPIC": b"BAD",
        "PARTITION": b"0",
        "OFFSET": b"3",
    }
    assert (b"key3", b"SAFE_ROOT") in by_function
    for key in (b"key1", b"key2", b"key4"):
        assert by_function[key, b""][1]["CODE"] == b"DESERIALIZATION_ERROR"
        assert key not in rows
    assert {m.timestamp()[1] for m in dead} <= set(range(5_000, 5_008))


def test_a_result_that_kafka_would_not_take(broker: Broker, scoring: ServerProcess, tmp_path: Path) -> None:
    broker.create("LARGE", 1)
    sizes = [10, 2_000_000, 20]
    broker.produce("LARGE", [(0, b"k", orjson.dumps({"X": 1.0, "N": n})) for n in sizes])
    query = write_query(tmp_path, "LARGE", "K, X, LONG(N) AS L", ", N INT")
    with Processing(query, broker.address, "--scoring", scoring.url, "--to-end") as process:
        process.end(stop=False)
    (results,) = broker.read("LARGE_OUT")
    assert [len(orjson.loads(m.value())["L"]) for m in results] == [10, 20]
    (dead,) = broker.read("LARGE_OUT_DEAD")
    assert [dict(m.headers())["CODE"] for m in dead] == [b"TOO_LARGE"]


def test_a_function_that_is_to_fail_stops_before_the_row(
    broker: Broker, scoring: ServerProcess, tmp_path: Path
) -> None:
    broker.create("STRICT", 1)
    broker.produce("STRICT", [(0, b"k", orjson.dumps({"X": x})) for x in (1.0, 4.0, -1.0, 9.0)])
    query = write_query(tmp_path, "STRICT", "K, STRICT_ROOT(X) AS R")
    with Processing(query, broker.address, "--scoring", scoring.url, "--max-rows", "1") as process:
        process.end(stop=False, code=3)
    assert "-1.0 has no root" in process.log
    assert "offset 2" in process.log
    assert [orjson.loads(m.value())["R"] for m in broker.read("STRICT_OUT")[0]] == [1.0, 2.0]


def test_the_scoring_server_goes_away_and_comes_back(broker: Broker, folder: Path, tmp_path: Path) -> None:
    port = free_port()
    broker.create("AWAY", 2)
    query = write_query(tmp_path, "AWAY", "K, X, ROOT(X) AS R")
    options = ("--scoring", f"http://127.0.0.1:{port}", "--max-rows", "20")
    with Processing(query, broker.address, *options) as process:
        process.says("cannot reach")  # down at the start
        first = scoring_server(folder / "models", folder / "functions", port=port)
        try:
            process.says("took partitions")
            broker.produce("AWAY", numbers(0, 500, 2))
            wait_until(lambda: broker.has_begun("AWAY_OUT"))
        finally:
            first.kill()
        broker.produce("AWAY", numbers(500, 1_000, 2))
        with scoring_server(folder / "models", folder / "functions", port=port) as second:
            assert second.url
            check_all_there(broker, "AWAY_OUT", 1_000, 2)
            assert process.end()["dead"] == 0


def test_the_broker_goes_away_and_comes_back(scoring: ServerProcess, tmp_path: Path) -> None:
    if reason := missing():
        pytest.skip(reason)
    with Broker(tmp_path / "kafka") as broker:
        broker.create("HERE", 2)
        query = write_query(tmp_path, "HERE", "K, X, ROOT(X) AS R")
        with Processing(query, broker.address, "--scoring", scoring.url, "--max-rows", "20") as process:
            broker.produce("HERE", numbers(0, 2_000, 2))
            process.says("took partitions")
            broker.stop(kill=True)
            broker.start()
            broker.produce("HERE", numbers(2_000, 4_000, 2))
            check_all_there(broker, "HERE_OUT", 4_000, 2)
            process.end()


def test_a_promoted_model_answers_from_the_next_transaction_on(
    broker: Broker, folder: Path, scoring: ServerProcess, tmp_path: Path
) -> None:
    store = ModelStore(folder / "models")
    linear_model(store, "fraud", [1.0])
    second = linear_model(store, "fraud", [-1.0], promote=False)
    broker.create("LIVE", 1)
    query = write_query(tmp_path, "LIVE", "K, X, FRAUD_SCORE(X) AS S, FRAUD_SCORE_DETAIL(X)->VERSION AS V")
    with Processing(query, broker.address, "--scoring", scoring.url, "--max-rows", "20") as process:
        process.says("took partitions")
        broker.produce("LIVE", numbers(0, 300, 1))
        store.promote("fraud", second)
        process.says("FRAUD_SCORE is answered by version 2")
        broker.produce("LIVE", numbers(300, 600, 1))
        check_all_there(broker, "LIVE_OUT", 600, 1)
        process.end()
    rows = [orjson.loads(m.value()) for m in broker.read("LIVE_OUT")[0]]
    versions = [row["V"] for row in rows]
    assert versions == sorted(versions)
    assert versions[0] == 1
    assert set(versions[300:]) == {2}
    assert all((row["S"] > 0.5) == (row["V"] == 1) for row in rows if row["X"])


def test_two_processes_of_one_name(broker: Broker, scoring: ServerProcess, tmp_path: Path) -> None:
    broker.create("TWINS", 1)
    query = write_query(tmp_path, "TWINS", "K, X, ROOT(X) AS R")
    options = ("--scoring", scoring.url, "--instance", "one")
    with Processing(query, broker.address, *options, env=FAST) as first:
        first.says("took partitions")
        with Processing(query, broker.address, *options, env=FAST) as second:
            second.says("took partitions")
            broker.produce("TWINS", numbers(0, 100, 1))
            check_all_there(broker, "TWINS_OUT", 100, 1)
            first.end(stop=False, code=3)
            second.end()
    assert "instance 'one'" in first.log


def test_what_is_wrong_at_the_start_is_said(broker: Broker, scoring: ServerProcess, tmp_path: Path) -> None:
    broker.create("WRONG", 1)
    query = write_query(tmp_path, "WRONG", "K, ROOT(X) AS R")
    missing_topic = write_query(tmp_path, "NOWHERE", "K, ROOT(X) AS R")
    avro = tmp_path / "avro.sql"
    avro.write_text(query.read_text().replace("JSON", "AVRO"))
    quick = ("--start-timeout", "1")
    url = ("--scoring", scoring.url)
    for path, brokers, options, code, words in (
        (query, f"127.0.0.1:{free_port()}", (*url, *quick), 3, "No Kafka broker answers"),
        (query, broker.address, ("--scoring", "http://127.0.0.1:1", *quick), 3, "cannot reach"),
        (missing_topic, broker.address, (*url, *quick), 1, "NOWHERE"),
        (avro, broker.address, (*url, *quick, "--registry", "http://127.0.0.1:1"), 3, "--registry"),
        (avro, broker.address, url, 1, "--registry"),
    ):
        with Processing(path, brokers, *options) as process:
            process.end(stop=False, code=code)
        assert words in process.log, process.log
        assert "Traceback" not in process.log


@pytest.mark.parametrize("value_format", ["AVRO", "PROTOBUF", "JSON_SR"])
def test_formats_of_a_registry_and_a_schema_that_changes(
    broker: Broker, scoring: ServerProcess, tmp_path: Path, value_format: str
) -> None:
    topic = f"REG_{value_format}"
    broker.create(topic, 1)
    server = [
        sys.executable,
        "-m",
        "ksqlkit.engine.rest",
        "--port",
        "0",
        "--log",
        str(tmp_path / "registry.db"),
    ]
    with ServerProcess("registry", server, health="/info") as registry:
        schemas = RemoteRegistry(registry.url)
        old = (Column("X", T.DOUBLE), Column("NOTE", T.STRING))
        new = (*old, Column("MORE", T.Array(T.INTEGER)))
        # Each set of columns has a subject of its own; readers go by the id in the record.
        write_old, write_new = (
            make_serializer(
                Format(value_format), columns, is_key=False, topic=f"{topic}_{n}", registry=schemas
            )
            for n, columns in enumerate((old, new))
        )
        broker.produce(topic, [(0, b"a", write_old((4.0, "n"))), (0, b"b", write_new((9.0, None, [1, 2])))])
        broker.produce(topic, [(0, b"c", b"\x00\x00\x00\x27\x0fnothing"), (0, b"d", write_old((-1.0, "m")))])
        query = tmp_path / f"{topic}.sql"
        query.write_text(
            "CREATE STREAM S (K STRING KEY, X DOUBLE, NOTE STRING)"
            f" WITH (KAFKA_TOPIC='{topic}', VALUE_FORMAT='{value_format}');"
            f"CREATE STREAM {topic}_OUT AS SELECT K, X, NOTE, ROOT(X) AS R FROM S;"
        )
        options = ("--scoring", scoring.url, "--registry", registry.url, "--to-end")
        with Processing(query, broker.address, *options) as process:
            done = process.end(stop=False)
        (results,) = broker.read(f"{topic}_OUT")
        columns = (*old, Column("R", T.DOUBLE))
        read = make_deserializer(
            Format(value_format),
            columns,
            is_key=False,
            topic=f"{topic}_OUT",
            registry=RemoteRegistry(registry.url),
        )
        assert {m.key(): read(m.value()) for m in results} == {
            b"a": (4.0, "n", 2.0),
            b"b": (9.0, None if value_format != "PROTOBUF" else "", 3.0),
            b"d": (-1.0, "m", None if value_format != "PROTOBUF" else 0.0),
        }
        assert done["dead"] == 2
        assert schemas.latest(f"{topic}_OUT-value") is not None
