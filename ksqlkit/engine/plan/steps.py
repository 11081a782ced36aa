"""A query's plan as data: a tree of steps, leaves are sources, the root is a sink or the query's result.

Every step has the schema of the rows it puts out. A row is: key columns, value columns, a timestamp, and
for windowed
steps a window [start, end). Column names are unique in a schema; in joins each side's columns carry its alias
(`L_ID`). Expressions in a step refer to its input's columns by name only (ColumnRef.source is None).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect.types import SqlType
from ksqlkit.engine.catalog import DataSource, Format, Kind, WindowInfo
from ksqlkit.engine.schema import Schema

if TYPE_CHECKING:
    from ksqlkit.engine.expressions import RemoteStage


@dataclass(frozen=True, slots=True)
class Step:
    """Base: the rows' schema, and a name unique in the plan such as "Aggregate-GroupBy" (used for stores
    and topics)."""

    name: str
    schema: Schema

    @property
    def inputs(self) -> tuple[Step, ...]:
        """The steps this one reads, left first."""
        found = (getattr(self, part, None) for part in ("input", "left", "right"))
        return tuple(s for s in found if isinstance(s, Step))

    def walk(self) -> Iterator[Step]:
        """This step and all below it, inputs first."""
        for step in self.inputs:
            yield from step.walk()
        yield self


@dataclass(frozen=True, slots=True)
class SourceStep(Step):
    """Reads a stream or table. `origins` runs parallel to schema.columns and names, for each, a column of
    the source or a pseudo column (ROWTIME, ROWPARTITION, ROWOFFSET, WINDOWSTART, WINDOWEND).

    `materialized` says whether a table's rows must be kept (joins, table aggregates, undo).
    """

    source: DataSource
    alias: str
    origins: tuple[str, ...]
    materialized: bool = False


@dataclass(frozen=True, slots=True)
class Filter(Step):
    """Rows for which the predicate is true. On tables a row that stops matching becomes a tombstone."""

    input: Step
    predicate: N.Expression


@dataclass(frozen=True, slots=True)
class Project(Step):
    """New value columns; key columns only renamed (each `key` entry is a ColumnRef). Parallel to
    schema.key/value."""

    input: Step
    key: tuple[N.Expression, ...]
    value: tuple[N.Expression, ...]


@dataclass(frozen=True, slots=True)
class SelectKey(Step):
    """A new key by expressions (PARTITION BY, or a join on something other than the key). The value columns are taken
    by name from the input's columns, so schema.value says which stay. `drop_null` for joins: rows whose key is null
    are dropped; PARTITION BY keeps them. No expressions at all is PARTITION BY NULL. `key_format` serializes the new
    key where it decides the partition. On tables only the format changes, never the key."""

    input: Step
    key: tuple[N.Expression, ...]
    drop_null: bool = False
    key_format: Format = Format("KAFKA")


@dataclass(frozen=True, slots=True)
class GroupBy(Step):
    """A new key by expressions, for an aggregate; rows in which any key is null are dropped. `rekey` is
    False where the
    expressions are the key already (no repartition). Works on streams and on tables (then undo goes to the
    old group)."""

    input: Step
    by: tuple[N.Expression, ...]
    rekey: bool


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """One aggregate: result column, function, argument expressions, and constant configuring arguments."""

    column: str
    function: str
    args: tuple[N.Expression, ...]
    literals: tuple[Any, ...] = ()
    types: tuple[SqlType, ...] = ()  # of the args


@dataclass(frozen=True, slots=True)
class Aggregate(Step):
    """Aggregates per key (and window). `kind` is the input's: tables undo the old row. schema.key is the group key;
    schema.value holds the `carried` input columns that the query still needs (their last value is kept), then one
    column per call, and WINDOWSTART/WINDOWEND if named. `final` emits a window once, when it closes (EMIT FINAL)."""

    input: GroupBy
    kind: Kind
    calls: tuple[AggregateCall, ...]
    carried: tuple[str, ...] = ()
    window: N.Window | None = None
    final: bool = False
    key_format: Format = Format("KAFKA")
    value_format: Format = Format("JSON")


@dataclass(frozen=True, slots=True)
class FlatMap(Step):
    """Table functions: one output row per element; several functions advance together, short ones padded
    with null. schema.value has columns taken from the input by name, and `columns`, parallel to `calls`."""

    input: Step
    calls: tuple[N.FunctionCall, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remote(Step):
    """The input's columns, and one for each call of a remote function: `stages` are asked in order, a later one may
    read the column of an earlier one. `plan.remote` puts it below the step named `serves`, whose calls these are."""

    input: Step
    stages: tuple[RemoteStage, ...]
    serves: str


# Joins: schema.key is one column, the join key, under a name that is no other column's (foreign-key joins: the left's
# key columns). schema.value takes columns by name from both inputs' columns, keys included; all those of a side without
# a matching row are null, whatever the join key is.


@dataclass(frozen=True, slots=True)
class StreamStreamJoin(Step):
    """Rows of both sides with equal keys and timestamps with left - before <= right <= left + after
    (milliseconds).
    `grace` None is ksqlDB's old behaviour: 24 h, and the null side of an outer join emitted eagerly."""

    left: Step
    right: Step
    type: N.JoinType
    before: int
    after: int
    grace: int | None = None


@dataclass(frozen=True, slots=True)
class StreamTableJoin(Step):
    """Each left row with the table's row of that key as of now; INNER or LEFT."""

    left: Step
    right: Step
    type: N.JoinType


@dataclass(frozen=True, slots=True)
class TableTableJoin(Step):
    """Both tables' rows by primary key; a change of either side re-emits."""

    left: Step
    right: Step
    type: N.JoinType


@dataclass(frozen=True, slots=True)
class ForeignKeyJoin(Step):
    """Left rows with the right row whose primary key equals `foreign_key` (over the left's columns); keyed
    as the left."""

    left: Step
    right: Step
    type: N.JoinType
    foreign_key: N.Expression


@dataclass(frozen=True, slots=True)
class Sink:
    """Where a persistent query writes. With `in_place` a record's result goes to the partition of the same number; else
    its key decides."""

    name: str
    kind: Kind
    topic: str
    key_format: Format
    value_format: Format
    partitions: int
    replicas: int = 1
    timestamp_column: str | None = None
    timestamp_format: str | None = None
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class SinkStep(Step):
    """Writes rows to the sink's topic."""

    input: Step
    sink: Sink


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """A planned query. `schema` is the result's; for a transient (push) query `columns` are the selected
    columns in order (they may mix key and value columns) and `root` is not a SinkStep."""

    query_id: str
    kind: Kind
    root: Step
    schema: Schema
    window: WindowInfo | None
    sources: tuple[str, ...]
    emit: Literal["CHANGES", "FINAL"]
    sink: Sink | None = None
    columns: tuple[str, ...] = ()
    limit: int | None = None
    statement: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)  # ksql.functions.*, for its functions
    unpruned: Step | None = None  # the root with all columns ksqlDB would carry along, for descriptions
