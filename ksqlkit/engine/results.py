"""What statements answer: one frozen dataclass per ksqlDB entity.

Field names are ksqlDB's JSON names in snake case, in its order, so the HTTP layer maps them mechanically;
`entity` is the `@type`. SQL types stay `SqlType` values here: their wire form lives in the HTTP layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from ksqlkit.dialect.types import SqlType
from ksqlkit.engine.row_errors import RowErrors


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Base of all answers; `statement_text` is as ksqlDB echoes it (DDL with defaults filled in)."""

    entity: ClassVar[str]

    statement_text: str
    warnings: tuple[str, ...] = ()


# ---------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True)
class CommandStatus:
    """How a command ended; `query_id` is set where it started a persistent query."""

    status: Literal["QUEUED", "PARSING", "EXECUTING", "RUNNING", "TERMINATED", "SUCCESS", "ERROR"]
    message: str
    query_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentStatus(Result):
    """A statement that went through the command log; `command_id` is `type/entity/action`."""

    entity: ClassVar[str] = "currentStatus"

    command_id: str
    command_status: CommandStatus
    command_sequence_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningEntity(Result):
    """A statement that did nothing, and why (IF NOT EXISTS)."""

    entity: ClassVar[str] = "warning_entity"

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateQuery(Result):
    """A transient query ended by TERMINATE."""

    entity: ClassVar[str] = "terminate_query"

    query_id: str
    was_terminated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertTopic(Result):
    """An ASSERT [NOT EXISTS] TOPIC that held."""

    entity: ClassVar[str] = "assert_topic"

    topic_name: str
    exists: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertSchema(Result):
    """An ASSERT [NOT EXISTS] SCHEMA that held."""

    entity: ClassVar[str] = "assert_schema"

    subject: str | None
    id: int | None
    exists: bool


# ---------------------------------------------------------------- lists


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A line of SHOW STREAMS or SHOW TABLES."""

    type: Literal["STREAM", "TABLE"]
    name: str
    topic: str
    key_format: str
    value_format: str
    is_windowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamsList(Result):
    """SHOW STREAMS."""

    entity: ClassVar[str] = "streams"

    streams: tuple[SourceInfo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TablesList(Result):
    """SHOW TABLES."""

    entity: ClassVar[str] = "tables"

    tables: tuple[SourceInfo, ...]


@dataclass(frozen=True, slots=True)
class TopicEntry:
    """A topic; `replica_info` has the number of replicas of each partition."""

    name: str
    replica_info: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TopicEntryExtended:
    """A topic with who reads it."""

    name: str
    replica_info: tuple[int, ...]
    consumer_count: int
    consumer_group_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicsList(Result):
    """SHOW [ALL] TOPICS."""

    entity: ClassVar[str] = "kafka_topics"

    topics: tuple[TopicEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicsListExtended(Result):
    """SHOW [ALL] TOPICS EXTENDED."""

    entity: ClassVar[str] = "kafka_topics_extended"

    topics: tuple[TopicEntryExtended, ...]


@dataclass(frozen=True, slots=True)
class RunningQueryInfo:
    """A line of SHOW QUERIES."""

    query_string: str
    sinks: tuple[str, ...]
    sink_kafka_topics: tuple[str, ...]
    id: str
    status_count: Mapping[str, int]
    query_type: Literal["PERSISTENT", "PUSH", "PULL"]
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Queries(Result):
    """SHOW QUERIES."""

    entity: ClassVar[str] = "queries"

    queries: tuple[RunningQueryInfo, ...]


@dataclass(frozen=True, slots=True)
class FunctionEntry:
    """A line of SHOW FUNCTIONS."""

    name: str
    type: str
    category: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionNames(Result):
    """SHOW FUNCTIONS."""

    entity: ClassVar[str] = "function_names"

    functions: tuple[FunctionEntry, ...]


@dataclass(frozen=True, slots=True)
class FunctionArgument:
    """An argument as ksqlDB shows it; `type` is its display name (VARCHAR, INT, ARRAY<T> ...)."""

    name: str
    type: str
    description: str
    is_variadic: bool


@dataclass(frozen=True, slots=True)
class FunctionSignature:
    """One overload of a function."""

    arguments: tuple[FunctionArgument, ...]
    return_type: str
    description: str
    argument_types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionDescription(Result):
    """DESCRIBE FUNCTION."""

    entity: ClassVar[str] = "describe_function"

    name: str
    description: str
    author: str
    version: str
    path: str
    functions: tuple[FunctionSignature, ...]
    type: str


@dataclass(frozen=True, slots=True)
class PropertyEntry:
    """A line of SHOW PROPERTIES; `value` is text, or None where there is no default."""

    name: str
    scope: str
    value: str | None
    editable: bool
    level: str = "SERVER"


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertiesList(Result):
    """SHOW PROPERTIES."""

    entity: ClassVar[str] = "properties"

    properties: tuple[PropertyEntry, ...]
    overwritten_properties: tuple[str, ...] = ()
    default_properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TypesList(Result):
    """SHOW TYPES."""

    entity: ClassVar[str] = "type_list"

    types: Mapping[str, SqlType]


@dataclass(frozen=True, slots=True)
class VariableEntry:
    """A session variable."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VariablesList(Result):
    """SHOW VARIABLES."""

    entity: ClassVar[str] = "variables"

    variables: tuple[VariableEntry, ...]


# ---------------------------------------------------------------- descriptions


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """A column; `type` is its role, None for a plain value column."""

    name: str
    schema: SqlType
    type: Literal["KEY", "HEADER"] | None = None
    header_key: str | None = None


@dataclass(frozen=True, slots=True)
class ConsumerOffset:
    """Where a consumer stands in a partition."""

    partition: int
    log_start_offset: int
    log_end_offset: int
    consumer_offset: int


@dataclass(frozen=True, slots=True)
class TopicOffsets:
    """A consumer's offsets in one topic."""

    kafka_topic: str
    offsets: tuple[ConsumerOffset, ...]


@dataclass(frozen=True, slots=True)
class QueryOffsetSummary:
    """A query's offsets in the topics it reads."""

    group_id: str
    topic_summaries: tuple[TopicOffsets, ...]


@dataclass(frozen=True, slots=True)
class Statistic:
    """A metric of a query; `timestamp` is milliseconds since 1970."""

    name: str
    host: str
    value: float
    timestamp: int


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """All that DESCRIBE says of a stream or table."""

    name: str
    window_type: str | None
    read_queries: tuple[RunningQueryInfo, ...]
    write_queries: tuple[RunningQueryInfo, ...]
    fields: tuple[FieldInfo, ...]
    type: Literal["STREAM", "TABLE"]
    timestamp: str
    statistics: str
    error_stats: str
    extended: bool
    key_format: str
    value_format: str
    topic: str
    partitions: int
    replication: int
    statement: str
    query_offset_summaries: tuple[QueryOffsetSummary, ...] = ()
    source_constraints: tuple[str, ...] = ()
    cluster_statistics: tuple[Statistic, ...] = ()
    cluster_error_stats: tuple[Statistic, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDescriptionEntity(Result):
    """DESCRIBE name [EXTENDED]."""

    entity: ClassVar[str] = "sourceDescription"

    source_description: SourceDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDescriptionList(Result):
    """DESCRIBE STREAMS|TABLES, and SHOW STREAMS|TABLES EXTENDED."""

    entity: ClassVar[str] = "source_descriptions"

    source_descriptions: tuple[SourceDescription, ...]


@dataclass(frozen=True, slots=True)
class QueryErrorInfo:
    """Why a query failed; `type` is USER, SYSTEM or UNKNOWN."""

    timestamp: int
    error_message: str
    type: str


@dataclass(frozen=True, slots=True)
class QueryDescription:
    """All that EXPLAIN says of a query."""

    id: str
    statement_text: str
    window_type: str | None
    fields: tuple[FieldInfo, ...]
    sources: tuple[str, ...]
    sinks: tuple[str, ...]
    topology: str
    execution_plan: str
    overridden_properties: Mapping[str, Any]
    ksql_host_query_status: Mapping[str, str]
    query_type: Literal["PERSISTENT", "PUSH", "PULL"]
    query_errors: tuple[QueryErrorInfo, ...]
    tasks_metadata: tuple[Mapping[str, Any], ...]
    consumer_group_id: str | None
    state: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDescriptionEntity(Result):
    """EXPLAIN."""

    entity: ClassVar[str] = "queryDescription"

    query_description: QueryDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDescriptionList(Result):
    """SHOW QUERIES EXTENDED."""

    entity: ClassVar[str] = "query_descriptions"

    query_descriptions: tuple[QueryDescription, ...]


# ---------------------------------------------------------------- query results


@dataclass(frozen=True, slots=True)
class QueryColumn:
    """A column of a query's result; `key` marks key columns (window bounds included) of pulls on tables."""

    name: str
    type: SqlType
    key: bool = False


class Tombstone(tuple[Any, ...]):
    """A row of a push query on a table that says its key is gone: key columns and window bounds, all else null."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PullResult:
    """The answer of a pull query on a table: all rows at once, values parallel to `columns`."""

    query_id: str
    columns: tuple[QueryColumn, ...]
    rows: tuple[tuple[Any, ...], ...]
    warnings: tuple[str, ...] = field(default=())
    row_errors: RowErrors = field(default_factory=RowErrors)

    @property
    def schema(self) -> str:
        """As ksqlDB's header prints it: "`ID` STRING KEY, `N` BIGINT"."""
        return schema_text(self.columns)


def schema_text(columns: tuple[QueryColumn, ...]) -> str:
    """The columns as ksqlDB's header prints them."""
    return ", ".join(f"`{c.name}` {c.type}" + (" KEY" if c.key else "") for c in columns)
