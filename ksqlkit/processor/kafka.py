"""Kafka through confluent-kafka: clients with the settings that exactly-once needs, topics, and errors in words."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ksqlkit.engine.log.protocol import TopicInfo
from ksqlkit.errors import ProjectError, ServerError
from ksqlkit.processor.rights import Connections, Rights

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Producer
    from confluent_kafka.admin import AdminClient

logger = logging.getLogger("ksqlkit.processor")

SESSION_MS: Final = 10_000  # after which a dead member's partitions go to others
TRANSACTION_MS: Final = 15_000  # after which the broker aborts what a dead processor left
LARGEST: Final = 1_000_000  # bytes of a record, where message.max.bytes does not say otherwise
POLL_MS: Final = 300_000
WAITING: Final = 100_000  # records that may wait to be sent
_ANSWER: Final = 5.0  # seconds for a question to the cluster
_FIRST_ANSWER: Final = 1.5  # for the first, so that a wrong password is soon told of


def require() -> Any:
    """The confluent_kafka package. Raises ProjectError where it is not installed."""
    try:
        import confluent_kafka
    except ImportError as error:
        raise ProjectError(
            "The processor needs the package confluent-kafka", hint="pip install 'ksqlkit[kafka]'"
        ) from error
    return confluent_kafka


def make_consumer(
    properties: Mapping[str, str], group: str, instance: str | None, *, to_end: bool = False
) -> Consumer:
    """A consumer of committed records that commits nothing by itself; with `to_end` it tells of the end. Raises
    ProjectError for a bad property."""
    given = {
        "session.timeout.ms": str(SESSION_MS),
        "max.poll.interval.ms": str(POLL_MS),
        "partition.assignment.strategy": "cooperative-sticky",
        "auto.offset.reset": "earliest",
        "fetch.queue.backoff.ms": "10",
        "queued.min.messages": "100000",
        **_common(properties),
        "group.id": group,
        "enable.auto.commit": "false",
        "enable.auto.offset.store": "false",
        "isolation.level": "read_committed",
        "enable.partition.eof": str(to_end).lower(),
    }
    if instance is not None:
        given["group.instance.id"] = instance
    return _made(require().Consumer, given)  # type: ignore[no-any-return]


def make_producer(properties: Mapping[str, str], name: str) -> Producer:
    """A transactional producer of that name. Raises ProjectError for a bad property."""
    given = {
        "linger.ms": "5",
        "batch.num.messages": "20000",
        "batch.size": "1000000",
        "compression.type": "lz4",
        "queue.buffering.max.messages": str(WAITING),
        "transaction.timeout.ms": str(TRANSACTION_MS),
        **_common(properties),
        "transactional.id": name,
        "enable.idempotence": "true",
    }
    return _made(require().Producer, given)  # type: ignore[no-any-return]


def make_reader(properties: Mapping[str, str], group: str | None = None) -> Consumer:
    """A consumer outside of any group, which reads what it is told to; or which looks at a group's offsets, and those
    of transactions that are open do not keep it."""
    given = {
        **_common(properties),
        "group.id": group or f"ksqlkit-reader-{uuid.uuid4()}",
        "enable.auto.commit": "false",
        "isolation.level": "read_uncommitted" if group else "read_committed",
        "enable.partition.eof": "true",
    }
    return _made(require().Consumer, given)  # type: ignore[no-any-return]


def make_admin(
    properties: Mapping[str, str], told: Callable[[KafkaError], None] | None = None
) -> AdminClient:
    """A client for topics; `told` is handed the errors of its connections."""
    from confluent_kafka.admin import AdminClient

    given: dict[str, Any] = _common(properties)
    if told is not None:
        given["error_cb"] = told
    return _made(AdminClient, given)  # type: ignore[no-any-return]


def find_topics(rights: Rights, patience: float, pause: Callable[[float, str], None]) -> dict[str, TopicInfo]:
    """All topics, asked for again until a broker answers, and has the one that is to be read. After `patience` seconds
    they are what there is. Without a broker, raises Unreachable; ServerError where it does not let us in."""
    from confluent_kafka import KafkaException

    until = time.monotonic() + patience
    wait, answer = 0.1, _FIRST_ANSWER
    connections = Connections(rights.kafka)
    admin = make_admin(rights.kafka, connections.note)
    while True:
        try:
            found = admin.list_topics(timeout=max(1.0, min(answer, until - time.monotonic())))
            topics = {
                str(t.topic): TopicInfo(
                    str(t.topic), len(t.partitions), len(next(iter(t.partitions.values())).replicas)
                )
                for t in found.topics.values()
                if t.topic and t.partitions
            }
            if rights.source is None or rights.source in topics:
                return topics
            _see(admin, rights, rights.source)
            if time.monotonic() >= until:
                return topics
            why = f"Kafka has no topic {rights.source} yet"
        except KafkaException as error:
            admin.poll(0.0)  # hands over what its connections came to
            refused = connections.refusal(rights)
            if refused is not None:
                raise refused from error
            away = connections.away()
            if time.monotonic() >= until:
                raise away from error
            why = away.message
            answer = _ANSWER
        pause(wait, why)
        wait = min(wait * 2, 5.0)


def _see(admin: AdminClient, rights: Rights, topic: str) -> None:
    """Raises ServerError where the topic may be there, and is hidden from us."""
    from confluent_kafka import KafkaException, TopicCollection

    asked = admin.describe_topics(TopicCollection([topic]), request_timeout=_ANSWER)
    try:
        asked[topic].result(2 * _ANSWER)
    except KafkaException as error:
        refused = rights.refusal(error.args[0])
        if refused is not None:
            raise refused from error


def create_topic(admin: AdminClient, info: TopicInfo) -> None:
    """Create a topic; one that was made meanwhile is left alone. Raises ServerError."""
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

    new = NewTopic(info.name, info.partitions, info.replicas, config=dict(info.config))
    try:
        admin.create_topics([new])[info.name].result(30.0)
        logger.info("made the topic %s with %d partitions", info.name, info.partitions)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise ServerError(
                f"The topic {info.name} cannot be made: {words(error)}",
                hint=f"Make it yourself, of {info.partitions} partitions; or allow CREATE on it.",
            ) from error


def largest_record(properties: Mapping[str, str], topics: Sequence[str]) -> int:
    """Bytes of a record that we may send and all the topics take, as far as we may know their settings."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import ConfigResource, ResourceType  # type: ignore[attr-defined]

    found = int(properties.get("message.max.bytes", LARGEST))
    admin = make_admin(properties)
    asked = admin.describe_configs(
        [ConfigResource(ResourceType.TOPIC, t) for t in topics], request_timeout=_ANSWER
    )
    for resource, answer in asked.items():
        try:
            found = min(found, int(answer.result(2 * _ANSWER)["max.message.bytes"].value))
        except (KafkaException, TimeoutError, KeyError) as error:
            logger.debug("settings of the topic %s are not to be had: %s", resource.name, words(error))
    return max(found, 1000)  # librdkafka takes no less


def words(error: BaseException) -> str:
    """What a Kafka error says."""
    inner = error.args[0] if error.args else error
    return str(inner.str()) if hasattr(inner, "str") else str(error)


def _common(properties: Mapping[str, str]) -> dict[str, str]:
    return {
        "client.id": "ksqlkit-processor",
        "reconnect.backoff.max.ms": "5000",
        # After all brokers were away, bootstrapping anew leaves a transactional producer of librdkafka 2.16 hanging.
        "metadata.recovery.strategy": "none",
        **properties,
    }


def _made(client: Callable[..., Any], given: dict[str, str]) -> Any:
    package = require()
    try:
        return client(given, logger=logging.getLogger("ksqlkit.kafka"))
    except package.KafkaException as error:
        raise ProjectError(
            f"A Kafka property is wrong: {words(error)}",
            hint="Properties are librdkafka's; see its CONFIGURATION.md.",
        ) from error
