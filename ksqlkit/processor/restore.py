"""The states of a partition's series, read back from their topic."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ksqlkit.errors import ServerError
from ksqlkit.processor.kafka import make_admin, make_reader, words
from ksqlkit.processor.state import SeriesState


def restore(kafka: Mapping[str, str], topic: str, partition: int, alive: Callable[[], None]) -> SeriesState:
    """The states that are committed. It waits until no transaction on the partition is open: what a predecessor has
    committed is seen, even where its markers are still under way. `alive` is called now and then."""
    from confluent_kafka import OFFSET_BEGINNING, IsolationLevel, KafkaError, KafkaException, TopicPartition
    from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

    place = TopicPartition(topic, partition)
    reader = make_reader(kafka)
    found: dict[str, bytes] = {}
    try:
        admin = make_admin(kafka)  # gone, it would never answer
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = admin.list_offsets({place: latest}, isolation_level=IsolationLevel.READ_UNCOMMITTED)
        end = asked[place].result(30.0).offset
        reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
        while True:
            for message in reader.consume(1000, 0.2):
                error = message.error()
                if error is None:
                    name, value = (message.key() or b"").decode(), message.value()
                    if value is None:
                        found.pop(name, None)
                    else:
                        found[name] = value
                elif error.code() == KafkaError._PARTITION_EOF:
                    if (message.offset() or 0) >= end:
                        return SeriesState(found)
                elif not error.retriable():
                    raise KafkaException(error)
            alive()
    except KafkaException as error:
        raise ServerError(f"The states in topic {topic} cannot be read: {words(error)}") from error
    finally:
        reader.close()
