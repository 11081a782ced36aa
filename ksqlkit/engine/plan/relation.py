"""A plan under construction: a step and what the next pass must know about its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.analysis.scope import AliasedSource, Scope
from ksqlkit.engine.analysis.select import Projection
from ksqlkit.engine.catalog import DataSource, Format, Kind, WindowInfo
from ksqlkit.engine.functions.contract import FunctionRegistry
from ksqlkit.engine.plan.steps import Step
from ksqlkit.engine.schema import PSEUDO, WINDOW_BOUNDS


@dataclass(frozen=True, slots=True)
class SinkRequest:
    """What CREATE ... AS SELECT or INSERT INTO asks for; `properties` are the WITH clause, names upper case."""

    kind: Kind
    name: str
    properties: Mapping[str, object] = field(default_factory=dict)
    insert_into: DataSource | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """All that is given: the qualified query, its sources, and where the result goes (None: to a client)."""

    query: N.Query
    scope: Scope
    functions: FunctionRegistry
    sink: SinkRequest | None
    query_id: str
    properties: Mapping[str, object] = field(default_factory=dict)
    statement: str = ""

    @property
    def left(self) -> AliasedSource:
        """The first source of the FROM clause; sinks inherit from it."""
        return self.scope.sources[0]

    @property
    def default_key_format(self) -> Format:
        """For keys whose source has none."""
        return Format(str(self.properties.get("ksql.persistence.default.format.key") or "KAFKA"))

    @property
    def projection(self) -> Projection:
        """The select list, for questions whether it holds a key."""
        return Projection(self.query.select, self.scope.internal)


Star = Callable[[str | None], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows so far.

    `layout` names all columns in ksqlDB's order (values, pseudo columns, old keys), the key's own columns included.
    `keys` maps the name by which the query knows a key column to the step's key column; they differ in joins whose
    key is not always the value of the source column that names it. `star` answers what `*` stands for, `resolve`
    turns a qualified expression into one over the step's columns, and `key_missing` raises if the projection lacks
    the key.
    """

    step: Step
    kind: Kind
    key_format: Format
    window: WindowInfo | None
    partitions: int
    layout: tuple[str, ...]
    keys: Mapping[str, str]
    star: Star
    resolve: Callable[[N.Expression], N.Expression]
    key_missing: Callable[[Request], None]

    @property
    def types(self) -> dict[str, T.SqlType]:
        """Column name -> type of the step's rows."""
        return {c.name: c.type for c in self.step.schema.columns}


def ordered(layout: tuple[str, ...], keys: tuple[str, ...]) -> tuple[str, ...]:
    """What `*` shows of a layout: keys first, then window bounds, then the rest without pseudo columns."""
    bounds = tuple(n for n in layout if n in WINDOW_BOUNDS and n not in keys)
    rest = tuple(n for n in layout if n not in WINDOW_BOUNDS and n not in PSEUDO and n not in keys)
    return (*keys, *bounds, *rest)
