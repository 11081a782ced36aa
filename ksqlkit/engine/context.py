"""What statements see and change.

A `Context` changes only itself: requests are tried on one first. The engine's own context (`engine.py`)
overrides the hooks at the end, so that the same statement code creates topics, starts queries and writes the
command log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.catalog import Catalog
from ksqlkit.engine.clock import Clock
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.log.protocol import Output, TopicInfo
from ksqlkit.engine.plan.steps import QueryPlan
from ksqlkit.engine.properties import Properties
from ksqlkit.engine.results import CommandStatus, CurrentStatus, QueryErrorInfo, RunningQueryInfo, Statistic
from ksqlkit.engine.serde.registry import SchemaRegistry, subject_name
from ksqlkit.errors import StatementError

QueryState = Literal["RUNNING", "PAUSED", "ERROR"]
COMMAND_TOPIC = "_confluent-ksql-{service}_command_topic"
_LONGEST_TOPIC: Final = 249
_TOPIC_NAME: Final = re.compile(rf"[a-zA-Z0-9._-]{{1,{_LONGEST_TOPIC}}}")


@dataclass(frozen=True, slots=True)
class PersistentQuery:
    """A persistent query: its plan, the statement that made it (as echoed), and the request's overrides."""

    id: str
    text: str
    plan: QueryPlan
    overrides: Mapping[str, Any] = field(default_factory=dict)
    state: QueryState = "RUNNING"
    insert: bool = False  # made by INSERT INTO

    @property
    def sinks(self) -> tuple[str, ...]:
        """Name of the source it writes, or nothing (source tables)."""
        return (self.plan.sink.name,) if self.plan.sink else ()


@dataclass(slots=True)
class Prepared:
    """A parsed statement: as written, and the text to echo, which handlers replace once defaults are filled in."""

    node: N.Statement
    text: str
    written: str
    overrides: Mapping[str, Any] = field(default_factory=dict)


class Context:
    """The catalogue, topics, queries and settings one request works on."""

    def __init__(
        self,
        *,
        functions: Registry,
        clock: Clock,
        properties: Properties,
        schemas: SchemaRegistry | None = None,
    ) -> None:
        self.functions = functions
        self.clock = clock
        self.properties = properties
        self.schemas = schemas
        self.catalog = Catalog()
        self.topics: dict[str, TopicInfo] = {}
        self.queries: dict[str, PersistentQuery] = {}
        self.statuses: dict[str, CommandStatus] = {}
        self.variables: dict[str, str] = {}  # of the request
        self.request_overrides: dict[str, Any] = {}  # settings of the request
        self.next_sequence = 0
        self.looked_up: dict[str, TopicInfo] = {}  # topic facts the current statement was decided on

    def fork(self) -> Context:
        """A copy to try a request on."""
        trial = Context(
            functions=self.functions,
            clock=self.clock,
            properties=self.properties,
            schemas=self.schemas_copy(),
        )
        trial.catalog = self.catalog.copy()
        trial.topics = dict(self.topics)
        trial.queries = dict(self.queries)
        trial.statuses = dict(self.statuses)
        trial.variables = dict(self.variables)
        trial.request_overrides = dict(self.request_overrides)
        trial.next_sequence = self.next_sequence
        return trial

    def schemas_copy(self) -> SchemaRegistry | None:
        """The registry's content, to change without consequences."""
        return None if self.schemas is None else self.schemas.fork()

    # ------------------------------------------------------------ topics

    def topic(self, name: str) -> TopicInfo | None:
        """The topic of that name, or None; remembered with the statement in the command log."""
        found = self.topics.get(name)
        if found is not None:
            self.looked_up[name] = found
        return found

    def create_topic(self, info: TopicInfo) -> None:
        """Create a topic, or check that the one that exists has the same partitions and replicas."""
        existing = self.topic(info.name)
        if existing is None:
            _check_topic_name(info.name)
            self.on_create_topic(info)
            self.topics[info.name] = info
            self.looked_up[info.name] = info
            return
        if (existing.partitions, existing.replicas) != (info.partitions, info.replicas):
            raise StatementError(
                f"A Kafka topic with the name '{info.name}' already exists, with different "
                "partition/replica/retention configuration than required. KSQL expects "
                f"{info.partitions} partitions (topic has {existing.partitions}), {info.replicas} replication "
                f"factor (topic has {existing.replicas}), and {retention(info)} retention (topic has "
                f"{retention(existing)}).",
            )

    def delete_topic(self, name: str) -> None:
        """Delete a topic with its records and schemas."""
        if self.topics.pop(name, None) is not None:
            self.on_delete_topic(name)
            if self.schemas is not None:
                for is_key in (True, False):
                    self.schemas.delete_subject(subject_name(name, is_key=is_key))

    # ------------------------------------------------------------ queries and commands

    @property
    def query_number(self) -> int:
        """The number in the id of a query that the next command starts."""
        return max(0, self.next_sequence - 1)

    def start_query(self, query: PersistentQuery) -> None:
        """Add a query, or put a changed one in place of the one with that id."""
        self.on_start_query(query)
        self.queries[query.id] = query

    def stop_query(self, query_id: str) -> None:
        """Forget a query with its state and positions."""
        del self.queries[query_id]
        self.on_stop_query(query_id)

    def set_state(self, query_id: str, state: QueryState) -> None:
        """Pause or resume."""
        old = self.queries[query_id]
        self.queries[query_id] = PersistentQuery(old.id, old.text, old.plan, old.overrides, state, old.insert)
        self.on_set_state(query_id, state)

    def command(
        self, prepared: Prepared, command_id: str, message: str, query_id: str | None = None
    ) -> CurrentStatus:
        """Write a statement to the command log; it counts as done from here on."""
        status = CommandStatus("SUCCESS", message, query_id)
        self.on_command(prepared)
        sequence = self.next_sequence
        self.next_sequence += 2  # ksqlDB's offsets: each command is followed by a transaction marker
        self.statuses[command_id] = status
        return CurrentStatus(
            statement_text=prepared.text,
            command_id=command_id,
            command_status=status,
            command_sequence_number=sequence,
        )

    def settings(self, prepared: Prepared) -> Properties:
        """The settings a statement runs under: the request's overrides over the engine's."""
        return self.properties.with_overrides(prepared.overrides)

    # ------------------------------------------------------------ hooks

    def on_create_topic(self, info: TopicInfo) -> None:
        """A topic is to be created."""

    def on_delete_topic(self, name: str) -> None:
        """A topic is to be deleted."""

    def on_start_query(self, query: PersistentQuery) -> None:
        """A query starts, or is replaced by one with the same id."""

    def on_stop_query(self, query_id: str) -> None:
        """A query is gone for good."""

    def on_set_state(self, query_id: str, state: QueryState) -> None:
        """A query is paused or resumed."""

    def on_command(self, prepared: Prepared) -> None:
        """A statement goes to the command log."""

    def on_append(self, outputs: Sequence[Output]) -> None:
        """Records of INSERT VALUES are to be appended."""

    def transient_queries(self) -> tuple[RunningQueryInfo, ...]:
        """Push queries that run now."""
        return ()

    def statistics(self, query_ids: Sequence[str]) -> tuple[Statistic, ...]:
        """Metrics of running queries."""
        del query_ids
        return ()

    def query_errors(self, query_id: str) -> tuple[QueryErrorInfo, ...]:
        """Why a query failed, if it did."""
        del query_id
        return ()

    def positions(self, query_id: str) -> dict[tuple[str, int], int]:
        """Committed (topic, partition) -> next offset of a query."""
        del query_id
        return {}

    def offsets(self, topic: str, partition: int) -> tuple[int, int]:
        """First offset kept and the offset the next record gets."""
        del topic, partition
        return 0, 0

    def stop_transient(self, query_id: str) -> bool:
        """End a push query of that id (in any case of letters); whether there was one."""
        del query_id
        return False

    def __enter__(self) -> Self:
        self.looked_up = {}
        return self

    def __exit__(self, *_: object) -> None:
        self.looked_up = {}


def _check_topic_name(name: str) -> None:
    """Kafka's rules for names of topics. Raises StatementError."""
    if _TOPIC_NAME.fullmatch(name) and name not in (".", ".."):
        return
    reason = "contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    if name in (".", ".."):
        reason = "cannot be '.' or '..'"
    elif len(name) > _LONGEST_TOPIC:
        reason = f"is longer than the max allowed length {_LONGEST_TOPIC}"
    raise StatementError(
        f"Failed to guarantee existence of topic {name}\nCaused by: Topic name is invalid: '{name}' {reason}"
    )


def retention(info: TopicInfo) -> int:
    """Retention of a topic in milliseconds, Kafka's default where the topic does not set it."""
    return int(dict(info.config).get("retention.ms", 604_800_000))
