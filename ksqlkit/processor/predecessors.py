"""Transactions that dead processes left open: until they end, nobody reads past them.

Kafka ends one after `transaction.timeout.ms`, when it next looks for such. Who takes over a dead process's partitions
can do so at once: each commit notes beside the offsets who made it, and to begin transactions under a name ends what
was open under it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ksqlkit.processor.kafka import make_admin, words

logger = logging.getLogger("ksqlkit.processor")

_ANSWER: Final = 5.0  # seconds for a question; without an answer Kafka's own time decides


def note(name: str, member: str) -> str:
    """What stands beside an offset: the transactional id, and who it was in the group."""
    return f"{name} {member}"


class Predecessors:
    """Those of a group."""

    def __init__(self, kafka: Mapping[str, str], group: str) -> None:
        self._kafka, self._group = kafka, group

    def bury(self, topic: str, partitions: Sequence[int], own: str, end: Callable[[str], None]) -> None:
        """End what those left open who had the partitions before us and are no longer of the group; `end` does so for
        a name."""
        from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

        try:
            admin = make_admin(self._kafka)
            places = [TopicPartition(topic, p) for p in partitions]
            asked = [ConsumerGroupTopicPartitions(self._group, places)]
            # Offsets of an open transaction hide those before them from who asks for stable ones.
            answer = admin.list_consumer_group_offsets(asked, require_stable=False, request_timeout=_ANSWER)
            found = answer[self._group].result(_ANSWER).topic_partitions
            names: dict[str, set[str]] = {}
            for name, _, member in ((p.metadata or "").partition(" ") for p in found):
                if name.startswith(f"{self._group}-") and name != own:
                    names.setdefault(name, set()).add(member)
            if not names:
                return
            group = admin.describe_consumer_groups([self._group], request_timeout=_ANSWER)[self._group]
            living = {member.member_id for member in group.result(_ANSWER).members}
            for name, members in names.items():
                if not members & living:
                    end(name)
        except (KafkaException, TimeoutError) as error:
            why = words(error) or "no answer"
            logger.info("%s: who had the partitions before cannot be told: %s", self._group, why)
