"""A real Apache Kafka broker of a test's own: one KRaft node on loopback, from its published jars.

`make kafka` fetches the jars into build/kafka; without them, and without Maven, tests that need a broker are skipped.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
JARS = ROOT / "build" / "kafka"
_LOG4J = "org.slf4j.simpleLogger"


def missing() -> str | None:
    """Why there can be no broker here, or None. Fetches the jars where Maven is there."""
    if shutil.which("java") is None:
        return "there is no Java on this machine"
    if not any(JARS.glob("kafka_*.jar")):
        if shutil.which("mvn") is None:
            return "there is no Maven on this machine, and build/kafka is empty: run `make kafka`"
        done = subprocess.run(["make", "kafka"], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"the broker's jars cannot be had: {(done.stderr or done.stdout)[-300:]}"
    return None


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class Broker:
    """A broker over a folder; `stop` and `start` keep what it has and its address."""

    format_options: Sequence[str] = ()  # of kafka.tools.StorageTool

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._controller = free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._properties = folder / "server.properties"
        folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(
            "\n".join(f"{k}={v}" for k, v in self._settings().items()) + "\n", encoding="utf-8"
        )
        name = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        format_storage = ["kafka.tools.StorageTool", "format", "-t", name, "-c", str(self._properties)]
        format_storage += self.format_options
        subprocess.run(self._java(*format_storage), check=True, capture_output=True)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def _settings(self) -> dict[str, str]:
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller}",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{self._controller}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.folder / "data"),
            "num.partitions": "1",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
            "log.retention.ms": "-1",  # records of tests are as old as they please
            "log.cleaner.dedupe.buffer.size": "10000000",
            "broker.session.timeout.ms": "2000",  # soon back after a kill
            "broker.heartbeat.interval.ms": "500",
            "num.network.threads": "2",
            "num.io.threads": "2",
        }

    def _java(self, *arguments: str) -> list[str]:
        options = ["-Xmx384m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        return ["java", *options, f"-D{_LOG4J}.defaultLogLevel=warn", "-cp", f"{JARS}/*", *arguments]

    def start(self, timeout: float = 60.0) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._properties)),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        until = time.monotonic() + timeout
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1.0):
                    pass
                AdminClient({"bootstrap.servers": self.address, "log_level": "0"}).list_topics(timeout=5.0)
                return
            except (OSError, KafkaException):
                assert self._process.poll() is None, (self.folder / "broker.log").read_text()[-2000:]
                assert time.monotonic() < until, "the broker did not start in time"
                time.sleep(0.1)

    def stop(self, *, kill: bool = False) -> None:
        """Stop it, in order or as a crash would."""
        assert self._process is not None
        (self._process.kill if kill else self._process.terminate)()
        try:
            self._process.wait(20.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(kill=True)

    # ---------------------------------------------------------------- topics

    def create(self, topic: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> None:
        """Make a topic."""
        from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

        admin = AdminClient({"bootstrap.servers": self.address})
        admin.create_topics([NewTopic(topic, partitions, 1, config=dict(config or {}))])[topic].result(20.0)

    def has_begun(self, topic: str) -> bool:
        """Whether anything was written to the topic's first partition, committed or not."""
        from confluent_kafka import Consumer, KafkaException, TopicPartition

        consumer = Consumer({"bootstrap.servers": self.address, "group.id": f"test-{uuid.uuid4()}"})
        try:
            ends: tuple[int, int] = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=5.0)
            return ends[1] > 0
        except KafkaException:
            return False  # it is not there yet
        finally:
            consumer.close()

    def produce(self, topic: str, records: Iterable[tuple[Any, ...]]) -> None:
        """Append records: (partition, key, value) and maybe a timestamp and headers."""
        from confluent_kafka import Producer

        producer = Producer(
            {
                "bootstrap.servers": self.address,
                "linger.ms": "5",
                "queue.buffering.max.messages": "2000000",
                "enable.idempotence": True,  # else a batch that is sent again may come after later ones
            }
        )
        for partition, key, value, *rest in records:
            timestamp = rest[0] if rest else 0
            headers = rest[1] if len(rest) > 1 else None
            producer.produce(topic, value, key, partition, timestamp=timestamp, headers=headers)
        assert producer.flush(60.0) == 0

    def read(self, topic: str, *, count: int = 0, timeout: float = 20.0) -> list[list[Any]]:
        """The committed messages of a topic, by partition, waiting until there are `count` in all."""
        from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

        consumer = Consumer(
            {
                "bootstrap.servers": self.address,
                "group.id": f"test-{uuid.uuid4()}",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "enable.auto.commit": False,
            }
        )
        try:
            found = consumer.list_topics(topic, timeout=10.0).topics[topic]
            assert found.error is None, f"{topic}: {found.error}"
            partitions: list[list[Any]] = [[] for _ in found.partitions]
            consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(len(partitions))])
            ended: set[int] = set()
            until = time.monotonic() + timeout
            while len(ended) < len(partitions) or sum(map(len, partitions)) < count:
                if time.monotonic() > until:
                    break
                for message in consumer.consume(10_000, 0.1):
                    error = message.error()
                    if error is None:
                        partitions[message.partition()].append(message)
                    elif error.code() == KafkaError._PARTITION_EOF:
                        ended.add(message.partition())
            return partitions
        finally:
            consumer.close()
