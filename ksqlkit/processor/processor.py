"""The loop: read, score, write with the offsets in one transaction, and go back where that fails."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from ksqlkit.engine.log.protocol import Output, Record
from ksqlkit.errors import ServerError, Unreachable
from ksqlkit.processor.counters import Counters
from ksqlkit.processor.deadletter import dead_letter
from ksqlkit.processor.kafka import LARGEST, make_consumer, make_producer, words
from ksqlkit.processor.planning import Planned
from ksqlkit.processor.predecessors import Predecessors, leave
from ksqlkit.processor.reading import records_of
from ksqlkit.processor.restore import restore
from ksqlkit.processor.rights import Rights
from ksqlkit.processor.scoring import Caller, Gone
from ksqlkit.processor.settings import Settings
from ksqlkit.processor.sizing import BatchSize
from ksqlkit.processor.state import SeriesState, TopicMemory
from ksqlkit.processor.tasks import Batch, Task
from ksqlkit.processor.transactions import Aborted, MakeProducer, Transactions
from ksqlkit.processor.versions import Changed, Versions
from ksqlkit.scoring.entry import Entry
from ksqlkit.scoring.transport import Transport

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

logger = logging.getLogger("ksqlkit.processor")

_TICK: Final = 0.2  # seconds: how soon a stop is noticed
_AGAIN: Final = 10.0  # seconds between two lines on the same trouble
_FRAME: Final = 3000  # bytes
_TRIES: Final = 3  # batches in a row whose version the scoring server does not know


class MakeConsumer(Protocol):
    """Makes a consumer of a group; see `make_consumer`."""

    def __call__(
        self, properties: Mapping[str, str], group: str, instance: str | None, *, to_end: bool
    ) -> Consumer:
        """The consumer."""


class Stopped(Exception):
    """It is time to end; the transaction under way is to be aborted."""


class Moved(Exception):
    """Partitions of the batch went to another process."""


@dataclass(slots=True)
class Tally:
    """What was committed since the start, and how long it took."""

    read: int = 0
    written: int = 0
    dead: int = 0
    transactions: int = 0
    aborted: int = 0
    seconds: float = 0.0  # from the first record's arrival to the last commit
    began: float = 0.0  # that arrival, in seconds since 1970


@dataclass(frozen=True, slots=True)
class Topics:
    """Where a processor writes beside its result; `state` is None for functions that remember nothing. No topic takes
    records of more than `largest` bytes."""

    source_partitions: int
    dead: str
    dead_partitions: int
    state: str | None
    largest: int = LARGEST

    @property
    def room(self) -> int:
        """Bytes for key, value and headers as they came: a frame, and the headers of a dead letter, come on top."""
        return max(self.largest - _FRAME, 0)


class Processor:
    """Runs a planned query over Kafka until `stop` is set. One thread; `run` does all."""

    def __init__(
        self,
        settings: Settings,
        group: str,
        counters: Counters,
        stop: threading.Event,
        memory: TopicMemory | None = None,
        make_producer: MakeProducer = make_producer,
        make_consumer: MakeConsumer = make_consumer,
        predecessors: Predecessors | None = None,
    ) -> None:
        self.settings, self.group, self.counters = settings, group, counters
        self.tally = Tally()
        self._callers: list[Caller] = []
        self._stop = stop
        self._memory = memory
        self._make_producer, self._make_consumer = make_producer, make_consumer
        self._predecessors = predecessors
        self._unburied: set[int] = set()  # partitions whose last owner may be dead
        self._committed: dict[int, int] = {}  # by partition, where our last transaction on it ended
        self._settled = True  # whether the last transaction is known to be through
        self._consumer: Consumer | None = None
        self._current: Task | None = None
        self._tasks: dict[int, Task] = {}
        self._owned: set[int] = set()
        self._at_end: set[int] = set()
        self._positions: dict[int, int] = {}
        self._firsts: dict[int, int] = {}  # of the batch that is worked on
        self._paused: set[int] = set()
        self._moved = False
        self._began = 0.0
        self._lag_due = 0.0
        self._gone = 0  # times in a row
        self._said: dict[str, float] = {}

    # ---------------------------------------------------------------- what callers of functions are given

    def caller(self, entry: Entry, transport: Transport, plain: Entry | None = None) -> Caller:
        """Who calls a function for us."""
        made = Caller(entry, transport, self, self.note, wait=self.settings.wait, plain=plain)
        self._callers.append(made)
        return made

    def adopt(self, entries: Mapping[str, Entry]) -> None:
        """Call functions as these say: other versions of those that are called, maybe."""
        for caller in self._callers:
            caller.adopt(entries)

    def note(self, offset: int, function: str, code: str, message: str) -> None:
        """A function failed for a record of the partition that is worked on."""
        assert self._current is not None
        self._current.note(offset, function, code, message)

    def pause(self, seconds: float, why: str) -> None:
        """Wait, and keep our place in the group. Raises Stopped, or Moved when partitions are taken from us."""
        if seconds:
            self._say(why, f"waiting: {why}")
            self.counters.waits.add(processor=self.group)
        until = time.monotonic() + seconds
        while True:
            if self._stop.is_set():
                raise Stopped
            self._tick()
            left = until - time.monotonic()
            if left <= 0:
                return
            self._stop.wait(min(left, _TICK))

    def expression_failed(self, what: str, error: Exception) -> None:
        """An expression of the query gave NULL for a row, as in ksqlDB."""
        self._say(what, f"{what}: {error}")

    # ---------------------------------------------------------------- the loop

    def run(self, planned: Planned, topics: Topics, versions: Versions) -> Tally:
        """Work until `stop` is set, or with `to_end` until the input's end. Raises ServerError for what does not
        pass, Changed when the query has to be planned anew."""
        self._planned, self._topics, self._versions = planned, topics, versions
        self._source = planned.source.topic
        self._size = BatchSize(self.settings.latency, self.settings.max_rows)
        writes = [t for t in (planned.sink.topic, topics.dead, topics.state) if t is not None]
        self._rights = Rights(self.settings.kafka, self.group, self._source, writes)
        self._transactions = Transactions(
            {**self.settings.kafka, "message.max.bytes": str(topics.largest)},
            self.group,
            self.settings.instance,
            self.pause,
            self._make_producer,
            self._rights,
        )
        consumer = self._consumer = self._make_consumer(
            self.settings.kafka, self.group, self.settings.instance, to_end=self.settings.to_end
        )
        self._count_versions()
        try:
            self._transactions.open()
            consumer.subscribe(
                [self._source], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
            )
            while not self._stop.is_set() and not self._finished():
                self._turn()
        except Stopped:
            pass
        finally:
            self._consumer = None
            consumer.close()
            self._transactions.close()
            self._callers.clear()
            self._forget(set(self._tasks))
        return self.tally

    def _turn(self) -> None:
        start = time.monotonic()
        self._moved = False
        self._firsts = {}
        gc.disable()  # a batch makes many small tuples and no cycles
        try:
            self._bury()
            self._adopt()
            records = self._read()
            if not records:
                return
            self._process(records, start)
            self._gone = 0
        except (Aborted, Moved, Unreachable, Gone) as error:
            if isinstance(error, Gone):
                self._seek_anew(error)
            self.tally.aborted += 1
            self.counters.commits.add(processor=self.group, outcome="aborted")
            self._rewind()
            if not isinstance(error, Moved):
                self._rest(2.0 if isinstance(error, Unreachable) else 0.2 * 3**self._gone, str(error))
            return
        finally:
            gc.enable()
        seconds = time.monotonic() - start
        count = sum(map(len, records.values()))
        self._size.observe(count, seconds)
        self.counters.size.set(self._size.rows, processor=self.group)
        self.counters.batch.observe(count, processor=self.group)
        self.counters.total.observe(seconds, processor=self.group)

    def _bury(self) -> None:
        """After partitions came: nothing of them is fetched while a dead owner's transaction holds their offsets."""
        gained, self._unburied = sorted(self._unburied), set()
        if gained and self._predecessors is not None:
            self._predecessors.bury(self._source, gained, self._transactions.name, self._transactions.end)

    def _adopt(self) -> None:
        """Take up what was promoted or rolled back since the last batch: no row is answered by two versions."""
        fresh = self._versions.fresh()
        if fresh:
            before = {c.entry.name: c.entry.pinned for c in self._callers}
            self.adopt(fresh)
            for name, entry in fresh.items():
                if entry.pinned != before[name]:
                    logger.info(
                        "%s: %s is answered by version %s from here on", self.group, name, entry.pinned
                    )
            self._count_versions()

    def _count_versions(self) -> None:
        for entry in (caller.entry for caller in self._callers):
            if entry.name in self._planned.functions and entry.pinned is not None:
                self.counters.versions.set(entry.pinned, processor=self.group, function=entry.name)

    def _seek_anew(self, error: Gone) -> None:
        """A version is not there any more, or not yet on the server that was asked. Raises what does not pass."""
        self._gone += 1
        if self._gone >= _TRIES:
            raise error
        self._versions.look()

    def _rest(self, seconds: float, why: str) -> None:
        """`pause` between two batches, when partitions may come and go."""
        try:
            self.pause(seconds, why)
        except Moved:
            logger.info("%s: partitions moved", self.group)

    def _process(self, records: Mapping[int, list[Record]], start: float) -> None:
        """Score and commit records by partition, which came at `start`."""
        done: dict[int, Batch] = {}
        members = (
            self._members()
        )  # who we were when we read: had others taken over meanwhile, Kafka refuses the offsets
        before = sum(c.seconds for c in self._callers)
        self._settled = False
        for partition, batch in records.items():
            task = self._current = self._tasks[partition]
            if self._memory is not None:
                self._memory.use(task.state)
            done[partition] = task.run(batch)
        self.counters.scoring.observe(sum(c.seconds for c in self._callers) - before, processor=self.group)
        outputs = self._outputs(records, done)
        self._transactions.commit(outputs, self._offsets(records), members)
        self._settled = True
        self._committed |= {partition: batch[-1].offset + 1 for partition, batch in records.items()}
        read, written = sum(map(len, records.values())), sum(len(b.outputs) for b in done.values())
        failures = [f for b in done.values() for f in b.failures]
        self.tally.read += read
        self.tally.written += written
        self.tally.dead += len(failures)
        self.tally.transactions += 1
        if not self._began:
            self._began, self.tally.began = start, time.time() - (time.monotonic() - start)
        self.tally.seconds = time.monotonic() - self._began
        self.counters.read.add(read, processor=self.group)
        self.counters.written.add(written, processor=self.group)
        self.counters.commits.add(processor=self.group, outcome="committed")
        for failure in failures:
            self.counters.dead.add(processor=self.group, code=failure.code)
            self._say(failure.code, f"dead letter: {failure.code} {failure.function} {failure.message}"[:300])
        for partition in records:
            self._tasks[partition].state.commit()
        self._measure_lag()
        if self._memory is not None:
            series = sum(len(t.state.committed) for t in self._tasks.values())
            self.counters.states.set(series, processor=self.group)

    def _measure_lag(self) -> None:
        """Records behind the end, as the last fetches saw it; once a second, as it takes a call a partition."""
        from confluent_kafka import TopicPartition

        now = time.monotonic()
        if now < self._lag_due or self._consumer is None:
            return
        self._lag_due = now + 1.0
        behind = 0
        for partition, position in self._positions.items():
            ends = self._consumer.get_watermark_offsets(TopicPartition(self._source, partition), cached=True)
            behind += max(0, ends[1] - position)
        self.counters.lag.set(behind, processor=self.group)

    def _outputs(self, records: Mapping[int, list[Record]], done: Mapping[int, Batch]) -> Iterator[Output]:
        """All that a transaction writes."""
        topics = self._topics
        for partition, batch in done.items():
            yield from batch.outputs
            if batch.failures:
                by_offset = {r.offset: r for r in records[partition]}
                target = partition % topics.dead_partitions
                for failure in batch.failures:
                    record = by_offset[failure.offset]
                    yield dead_letter(
                        topics.dead, target, self._source, partition, record, failure, topics.room
                    )
            if topics.state is not None:
                now = records[partition][-1].timestamp
                for name, value in self._tasks[partition].state.draft.items():
                    yield Output(topics.state, partition, now, name.encode(), value)

    # ---------------------------------------------------------------- reading

    def _read(self) -> dict[int, list[Record]]:
        """What is there, up to the batch's size, by partition; waits a moment where there is nothing."""
        assert self._consumer is not None
        self._resume()
        messages = self._consumer.consume(1, _TICK)
        if messages and self._size.rows > 1:
            messages += self._consumer.consume(self._size.rows - 1, 0.0)
        read = records_of(self._sound(messages))
        self._firsts = {partition: batch[0].offset for partition, batch in read.items()}
        found = {}
        for partition, batch in read.items():
            if partition not in self._owned:
                continue  # it went to another process between the fetch and now
            self._prepare(partition)
            position = self._positions[partition]
            if batch[0].offset < position:
                batch = [record for record in batch if record.offset >= position]
            if batch:
                found[partition] = batch
                self._positions[partition] = batch[-1].offset + 1
        return {partition: batch for partition, batch in found.items() if partition in self._owned}

    def _sound(self, messages: list[Message]) -> list[Message]:
        """Those that are records; what came in a record's place is seen to."""
        troubles = [(m, error) for m in messages if (error := m.error()) is not None]
        sound = [m for m in messages if m.error() is None] if troubles else messages
        if self._at_end:
            self._at_end -= {m.partition() for m in sound}
        for message, error in troubles:
            self._trouble(message, error)
        return sound

    def _prepare(self, partition: int) -> None:
        """Take over a partition: where its last owner stopped, and what it knew."""
        if partition in self._tasks:
            return
        if partition >= self._topics.source_partitions:
            raise Changed(f"{self._source} has more partitions")
        from confluent_kafka import KafkaException, TopicPartition

        assert self._consumer is not None
        self._transactions.ready()
        while True:
            try:
                (place,) = self._consumer.committed([TopicPartition(self._source, partition)], 10.0)
                break
            except KafkaException as error:
                self.pause(0.5, f"Kafka: committed offsets: {words(error)}")
        state = SeriesState()
        if self._topics.state is not None:
            state = restore(self.settings.kafka, self._topics.state, partition, lambda: self.pause(0.0, ""))
        self._positions[partition] = max(place.offset, 0)
        self._tasks[partition] = Task(self._planned, partition, state, largest=self._topics.room)

    def _offsets(self, records: Mapping[int, list[Record]]) -> list[TopicPartition]:
        from confluent_kafka import TopicPartition

        who = self._transactions.name
        return [TopicPartition(self._source, p, batch[-1].offset + 1, who) for p, batch in records.items()]

    def _members(self) -> object:
        assert self._consumer is not None
        return self._consumer.consumer_group_metadata()

    def _rewind(self) -> None:
        """Read the batch's records again, as far as they are still ours. Where it is not known whether the transaction
        is through, Kafka is asked what was committed, as at the start."""
        self._at_end -= self._firsts.keys()  # which may have been reached with these records
        if self._transactions.lost:
            self._forget(set(self._firsts))
        for partition, offset in self._firsts.items():
            if partition not in self._owned:
                continue
            task = self._tasks.get(partition)
            if task is not None:
                task.reset()
                self._positions[partition] = offset
            self._seek(partition, offset)

    def _seek(self, partition: int, offset: int) -> None:
        from confluent_kafka import KafkaException, TopicPartition

        assert self._consumer is not None
        try:
            self._consumer.seek(TopicPartition(self._source, partition, offset))
        except KafkaException as error:
            # Taken from us, and perhaps assigned anew: then it starts from what is committed.
            logger.info("%s: partition %d: %s", self.group, partition, words(error))

    def _trouble(self, message: Message, error: KafkaError) -> None:
        """What comes in a record's place."""
        from confluent_kafka import KafkaError as Codes

        code = error.code()
        if code == Codes._PARTITION_EOF:
            self._at_end.add(message.partition() or 0)
        elif "group.instance.id" in error.str():
            raise ServerError(
                f"Another process runs as instance {self.settings.instance!r} of {self.group}",
                hint="Give each process an --instance of its own.",
            )
        else:
            refused = self._rights.refusal(error)
            if error.fatal() or (refused is not None and code != Codes._AUTHENTICATION):
                raise refused or ServerError(f"Kafka: {error.str()}")
            # A password may be set right again, as a broker may come back: rows wait for either.
            self._say(
                error.name(), f"{refused.message}. {refused.hint}" if refused else f"Kafka: {error.str()}"
            )

    def _finished(self) -> bool:
        return self.settings.to_end and bool(self._owned) and self._owned <= self._at_end

    # ---------------------------------------------------------------- the group

    def _assigned(self, _: Consumer, places: list[TopicPartition]) -> None:
        gained = {p.partition for p in places}
        self._owned |= gained
        self._unburied |= gained
        self._forget(gained)
        self.counters.partitions.set(len(self._owned), processor=self.group)
        if gained:
            logger.info("%s: took partitions %s", self.group, sorted(gained))

    def _revoked(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        if self._settled:
            mine = {p.partition for p in places} & self._committed.keys()
            leave(consumer, self._source, {p: self._committed[p] for p in mine})
        self._lost(consumer, places)

    def _lost(self, _: Consumer, places: list[TopicPartition]) -> None:
        gone = {p.partition for p in places}
        self._owned -= gone
        self._unburied -= gone
        self._forget(gone)
        self._moved = True
        self.counters.partitions.set(len(self._owned), processor=self.group)
        if gone:
            logger.info("%s: gave partitions %s away", self.group, sorted(gone))

    def _forget(self, partitions: set[int]) -> None:
        for partition in partitions:
            self._tasks.pop(partition, None)
            self._positions.pop(partition, None)
            self._committed.pop(partition, None)
            self._at_end.discard(partition)

    def _tick(self) -> None:
        """Keep our place in the group while the loop stands still: what comes is read again later. Raises Moved."""
        from confluent_kafka import KafkaException, TopicPartition

        consumer = self._consumer
        if consumer is None:
            return
        flowing = self._owned - self._paused
        try:
            if flowing:
                consumer.pause([TopicPartition(self._source, p) for p in flowing])
                self._paused |= flowing
            message = consumer.poll(0.0)
        except KafkaException as error:
            self._say("tick", f"Kafka: {words(error)}")
            return
        if message is not None:
            problem = message.error()
            if problem is not None:
                self._trouble(message, problem)
            else:
                self._seek(message.partition() or 0, message.offset() or 0)
        if self._moved:
            raise Moved("partitions went to another process")

    def _resume(self) -> None:
        """After a wait: read on. A partition that went away while it was paused is still so when it comes back."""
        from confluent_kafka import KafkaException, TopicPartition

        assert self._consumer is not None
        if held := self._paused & self._owned:
            try:
                self._consumer.resume([TopicPartition(self._source, p) for p in held])
                self._paused -= held
            except KafkaException as error:
                self._say("resume", f"Kafka: {words(error)}")

    def _say(self, about: str, line: str) -> None:
        """A line in the log, on the same matter every ten seconds at most."""
        now = time.monotonic()
        if now - self._said.get(about, -_AGAIN) >= _AGAIN:
            self._said[about] = now
            logger.warning("%s: %s", self.group, line)
