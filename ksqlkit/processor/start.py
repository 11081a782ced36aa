"""Putting a processor together: functions, topics, plan; and running several until they are told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from ksqlkit.engine.log.protocol import TopicInfo
from ksqlkit.engine.serde.registry import SchemaRegistry
from ksqlkit.errors import KsqlkitError, ProjectError, Unreachable
from ksqlkit.processor.counters import Counters
from ksqlkit.processor.kafka import create_topic, find_topics, largest_record, make_admin, make_producer
from ksqlkit.processor.planning import Planned, plain_details, plan, source_topic
from ksqlkit.processor.predecessors import Predecessors
from ksqlkit.processor.processor import Processor, Stopped, Tally, Topics
from ksqlkit.processor.rights import Rights
from ksqlkit.processor.scoring import wait_for
from ksqlkit.processor.settings import Settings
from ksqlkit.processor.spec import Spec
from ksqlkit.processor.state import TopicMemory
from ksqlkit.processor.transactions import MakeProducer
from ksqlkit.processor.versions import Changed, Versions
from ksqlkit.scoring.transport import HttpTransport, Transport

logger = logging.getLogger("ksqlkit.processor")


class Scoring:
    """Where functions are answered: a server, or here (with folders of models and functions). In the latter form what
    functions remember is kept with the results, in Kafka."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self.memory: TopicMemory | None = None
        self._make: Callable[[], Transport] = lambda: HttpTransport(url, token)
        self._remembering: frozenset[str] | None = None

    @classmethod
    def here(cls, models: Path, functions: Path) -> Self:
        """Functions answered in this process."""
        made = cls("this process")
        made.memory = memory = TopicMemory()

        def make() -> Transport:
            from udf_server.inprocess import InProcess

            inside = InProcess(models, functions if functions.is_dir() else None)
            inside.service.memory = memory
            found = inside.service.catalog.functions.values()
            made._remembering = frozenset(f.name for f in found if f.context)
            return inside

        made._make = make
        return made

    def open(self) -> Transport:
        """The way to the functions."""
        return self._make()

    def remembers(self, functions: Sequence[str]) -> bool:
        """Whether states of these functions are ours to keep."""
        return self._remembering is not None and any(
            f.removesuffix("_DETAIL") in self._remembering for f in functions
        )


def run_one(
    spec: Spec,
    settings: Settings,
    scoring: Scoring,
    counters: Counters,
    stop: threading.Event,
    started: Callable[[Processor], None] = lambda _: None,
    producer: MakeProducer = make_producer,
) -> Tally:
    """Run a processor until `stop` is set. Raises what is wrong with the query, or a server that does not come up in
    `settings.start_timeout` seconds."""
    group = settings.group or f"ksqlkit-{spec.name}"
    before = Predecessors(settings.kafka, group)
    processor = Processor(settings, group, counters, stop, scoring.memory, producer, predecessors=before)
    transport = scoring.open()
    try:
        while True:
            planned, kept, versions = _prepare(spec, settings, scoring, processor, transport)
            started(processor)
            started = _said
            try:
                with versions:
                    return processor.run(planned, kept, versions)
            except Changed as error:
                logger.info("%s: %s: planned anew", group, error)
    except Stopped:
        return processor.tally
    finally:
        transport.close()


def _said(_: Processor) -> None:
    """It has been told that the processor started."""


def _prepare(
    spec: Spec, settings: Settings, scoring: Scoring, processor: Processor, transport: Transport
) -> tuple[Planned, Topics, Versions]:
    """The plan, with all topics there."""
    rights = Rights(settings.kafka, processor.group, source_topic(spec))
    topics = find_topics(rights, settings.start_timeout, processor.pause)
    if rights.source is not None and rights.source not in topics:
        raise ProjectError(
            f"Kafka has no topic {rights.source}, which {spec.name} reads",
            hint="Create its stream in ksqlDB first, or correct --brokers.",
        )
    entries = wait_for(transport, scoring.url, processor, settings.start_timeout)
    plain = {
        n: entries[e.detail_of] for n in plain_details(spec.query) if (e := entries.get(n)) and e.detail_of
    }
    planned = _patiently(
        settings.start_timeout,
        processor,
        lambda: plan(
            spec,
            entries,
            lambda entry: processor.caller(entry, transport, plain.get(entry.name)),
            topics,
            _registry(settings),
            processor.expression_failed,
        ),
    )
    asked = sorted({*planned.functions, *(e.name for n, e in plain.items() if n in planned.functions)})
    entries = settings.pins.apply(entries, asked)
    processor.adopt(entries)
    kept = _topics(planned, settings, topics, scoring)
    missing = _missing(planned, kept, topics)
    if missing:
        admin = make_admin(settings.kafka)
        for info in missing:
            create_topic(admin, info)
    written = [t for t in (planned.sink.topic, kept.dead, kept.state) if t is not None]
    kept = replace(kept, largest=largest_record(settings.kafka, written))
    return planned, kept, Versions(transport, entries, asked, settings.pins)


def _patiently(seconds: float, processor: Processor, make: Callable[[], Planned]) -> Planned:
    """What `make` makes, tried again while the Schema Registry is away."""
    until = time.monotonic() + seconds
    while True:
        try:
            return make()
        except Unreachable as error:
            if time.monotonic() >= until:
                error.hint = "Start it, or correct --registry."
                raise
            processor.pause(1.0, error.message)


def _registry(settings: Settings) -> SchemaRegistry | None:
    if settings.registry is None:
        return None
    from ksqlkit.engine.serde.remote_registry import RemoteRegistry

    return RemoteRegistry(settings.registry, settings.registry_user_info)


def _topics(
    planned: Planned, settings: Settings, topics: Mapping[str, TopicInfo], scoring: Scoring
) -> Topics:
    source, sink = planned.source, planned.sink
    count = topics[source.topic].partitions
    dead = settings.dead_topic or f"{sink.topic}_DEAD"
    state = settings.state_topic or f"{sink.topic}_STATE"
    if scoring.remembers(planned.functions) and topics.get(state, topics[source.topic]).partitions != count:
        raise ProjectError(
            f"The topic of states {state} has other partitions than {source.topic}",
            hint="States belong to a partition: take another --state-topic, or delete it and start anew.",
        )
    return Topics(
        source_partitions=count,
        dead=dead,
        dead_partitions=topics[dead].partitions if dead in topics else count,
        state=state if scoring.remembers(planned.functions) else None,
    )


def _missing(planned: Planned, kept: Topics, topics: Mapping[str, TopicInfo]) -> list[TopicInfo]:
    replicas = topics[planned.source.topic].replicas
    wanted = [
        TopicInfo(planned.sink.topic, planned.sink.partitions, replicas),
        TopicInfo(kept.dead, kept.dead_partitions, replicas),
    ]
    if kept.state is not None:
        wanted.append(
            TopicInfo(kept.state, kept.source_partitions, replicas, (("cleanup.policy", "compact"),))
        )
    return [info for info in wanted if info.name not in topics]


def run_all(
    specs: Sequence[Spec],
    settings: Settings,
    scoring: Callable[[], Scoring],
    counters: Counters,
    stop: threading.Event,
    started: Callable[[Processor], None] = lambda _: None,
) -> dict[str, Tally]:
    """Run processors side by side until `stop` is set, all end, or one fails: its error is raised when all have
    stopped."""
    tallies: dict[str, Tally] = {}
    errors: list[BaseException] = []

    def run(spec: Spec) -> None:
        try:
            tallies[spec.name] = run_one(spec, settings, scoring(), counters, stop, started)
        except KsqlkitError as error:
            errors.append(error)
            stop.set()
        except BaseException as error:
            logger.exception("%s failed", spec.name)
            errors.append(error)
            stop.set()

    threads = [threading.Thread(target=run, args=(spec,), name=f"process-{spec.name}") for spec in specs]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():  # in steps, so that signals are heard
            thread.join(0.2)
    if errors:
        raise errors[0]
    return tallies
