"""Transactions that dead processes left open: until they end, nobody reads past them.

Kafka ends one after `transaction.timeout.ms`, when it next looks for such. Who takes over a dead process's partitions
can do so at once: each commit notes its transactional id beside the offsets, who leaves in order takes the note away,
and to begin transactions under an id ends what was open under it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ksqlkit.processor.kafka import make_reader, words

if TYPE_CHECKING:
    from confluent_kafka import Consumer

logger = logging.getLogger("ksqlkit.processor")

_ANSWER: Final = 5.0  # seconds for a question; without an answer Kafka's own time decides


class Predecessors:
    """Those of a group."""

    def __init__(self, kafka: Mapping[str, str], group: str) -> None:
        self._kafka, self._group = kafka, group

    def bury(self, topic: str, partitions: Sequence[int], own: str, end: Callable[[str], None]) -> None:
        """End what those left open who had the partitions before us and did not leave in order; `end` does so for a
        transactional id."""
        from confluent_kafka import KafkaException, TopicPartition

        # An observer of the group, no member. It does not ask for stable offsets: those of an open transaction hide
        # the ones before them. (librdkafka 2.16's admin requests for it may end the process where a broker is away.)
        reader = make_reader(self._kafka, self._group)
        try:
            found = reader.committed([TopicPartition(topic, p) for p in partitions], _ANSWER)
            for name in sorted({p.metadata or "" for p in found} - {own}):
                if name.startswith(f"{self._group}-"):
                    end(name)
        except KafkaException as error:
            logger.info("%s: who had the partitions before cannot be told: %s", self._group, words(error))
        finally:
            reader.close()


def leave(consumer: Consumer, topic: str, offsets: Mapping[int, int]) -> None:
    """Take our notes away from partitions that go in order, with all that we wrote committed up to those offsets."""
    from confluent_kafka import KafkaException, TopicPartition

    places = [TopicPartition(topic, partition, offset, "") for partition, offset in offsets.items()]
    with contextlib.suppress(KafkaException):  # then our id is begun once for nothing
        if places:
            consumer.commit(offsets=places, asynchronous=True)
