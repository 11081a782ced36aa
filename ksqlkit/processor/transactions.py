"""One Kafka transaction for results, dead letters, states and offsets."""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from ksqlkit.engine.log.protocol import Output
from ksqlkit.errors import ServerError
from ksqlkit.processor.kafka import make_producer, words
from ksqlkit.processor.rights import Rights

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer, TopicPartition

logger = logging.getLogger("ksqlkit.processor")

_STEP: Final = 10.0  # seconds a call of the transaction's protocol may take before it is asked again
_FENCED: Final = 3  # times in a minute that another takes our name before we say so


MakeProducer = Callable[[Mapping[str, str], str], "Producer"]  # of properties and a transactional id


class Aborted(Exception):
    """The transaction left no trace; its records are to be read again."""


class Transactions:
    """A transactional producer, made anew when the broker has done away with it. `pause` waits between tries, and
    raises when it is time to stop."""

    def __init__(
        self,
        properties: Mapping[str, str],
        group: str,
        instance: str | None,
        pause: Callable[[float, str], None],
        make: MakeProducer = make_producer,
        rights: Rights | None = None,
    ) -> None:
        self._rights = rights or Rights(properties, group, None)
        self._properties, self._group, self._instance = properties, group, instance
        self._name = f"{group}-{instance or uuid.uuid4()}"
        self._pause, self._make = pause, make
        self._producer: Producer | None = None
        self._fenced: list[float] = []

    def open(self) -> None:
        """Be ready; ends what a predecessor of this name left open. Raises ServerError where Kafka refuses."""
        from confluent_kafka import KafkaException

        producer = self._make(self._properties, self._name)
        try:
            self._insist("init_transactions", producer.init_transactions)
        except KafkaException as error:
            refused = self._rights.refusal(error.args[0], writing=True)
            raise refused or ServerError(f"Kafka: no transaction can begin: {words(error)}") from error
        self._producer = producer

    @property
    def name(self) -> str:
        """The transactional id."""
        return self._name

    def end(self, name: str) -> None:
        """End what a process of that name, which is dead, left open."""
        logger.info("%s: ends what %s may have left open", self._group, name)
        self._make(self._properties, name).init_transactions(_STEP)

    @property
    def lost(self) -> bool:
        """Whether the producer was given up: then the last transaction may be through, or not."""
        return self._producer is None

    def ready(self) -> None:
        """`open` where that is needed; then what is committed is certain."""
        if self._producer is None:
            self.open()

    def commit(self, outputs: Iterable[Output], offsets: list[TopicPartition], members: object) -> None:
        """Write all and the offsets, or nothing. Raises Aborted."""
        from confluent_kafka import KafkaException

        self.ready()
        producer = self._producer
        assert producer is not None
        try:
            producer.begin_transaction()
            self._send(producer, outputs)
            self._insist("send offsets", lambda t: producer.send_offsets_to_transaction(offsets, members, t))
            self._insist("commit", producer.commit_transaction)
        except KafkaException as error:
            self._after(producer, error.args[0])
            raise self._rights.refusal(error.args[0], writing=True) or Aborted(words(error)) from error
        except BaseException:
            self._abort(producer)
            raise

    def close(self) -> None:
        """Give the producer up; what was not committed is gone."""
        from confluent_kafka import KafkaException

        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaException):  # which a producer that was fenced raises for anything
                producer.purge()
                producer.flush(1.0)

    def _send(self, producer: Producer, outputs: Iterable[Output]) -> None:
        produce, poll = producer.produce, producer.poll
        for topic, partition, timestamp, key, value, headers in outputs:
            while True:
                try:
                    # By position, past two callbacks: names would make it half as slow again.
                    if headers:
                        produce(topic, value, key, partition, None, None, timestamp, list(headers))
                    else:
                        produce(topic, value, key, partition, None, None, timestamp)
                    break
                except BufferError:  # as many wait as may wait
                    poll(0.05)
                    self._pause(0.0, "sending")

    def _insist(self, what: str, step: Callable[[float], object]) -> None:
        """A step of the protocol, again while that may help."""
        from confluent_kafka import KafkaException

        wait = 0.1
        while True:
            try:
                step(_STEP)
                return
            except KafkaException as error:
                problem: KafkaError = error.args[0]
                if not problem.retriable() or problem.txn_requires_abort() or problem.fatal():
                    raise
                self._pause(wait, f"Kafka: {what}: {words(error)}")
                wait = min(wait * 2, 5.0)

    def _after(self, producer: Producer, problem: KafkaError) -> None:
        """Leave nothing behind: abort, or give up a producer that cannot go on."""
        if not problem.fatal():
            self._abort(producer)
            return
        logger.warning("the producer is made anew: %s", problem.str())
        self.close()
        now = time.monotonic()
        self._fenced = [*(t for t in self._fenced if now - t < 60.0), now]
        if len(self._fenced) > _FENCED and self._instance is not None:
            raise ServerError(
                f"Another process takes the place of instance {self._instance!r} of {self._group} again and again",
                hint="Give each process an --instance of its own.",
            )

    def _abort(self, producer: Producer) -> None:
        from confluent_kafka import KafkaException

        try:
            producer.abort_transaction(_STEP)
        except KafkaException as error:
            logger.info("the producer is made anew: %s", words(error))
            self.close()
