"""From a query's text to the generated functions that run it, and the check that a processor can."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import print_statement
from ksqlkit.engine import statements
from ksqlkit.engine.catalog import DataSource
from ksqlkit.engine.clock import SystemClock
from ksqlkit.engine.context import Context, Prepared
from ksqlkit.engine.functions.contract import RemoteCall
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.log.protocol import TopicInfo
from ksqlkit.engine.plan.remote import lift_remote
from ksqlkit.engine.plan.steps import Filter, Project, QueryPlan, Sink, SinkStep, SourceStep
from ksqlkit.engine.properties import Properties
from ksqlkit.engine.runtime.compiled import CompiledPlan, compile_plan
from ksqlkit.engine.serde.registry import SchemaRegistry
from ksqlkit.errors import ParseError, ProjectError, SqlError
from ksqlkit.processor.spec import Spec
from ksqlkit.processor.whole import Whole, whole
from ksqlkit.project.graph import read_names, topic_of
from ksqlkit.scoring.entry import Entry

OFFSET = (
    "ROWOFFSET"  # first argument of every remote call here, so that an answer is known to be of its record
)

_OFFSET_NAME: Final = "record_offset"
_CALLED: Final = re.compile(r"(Function '(\w+)' does not accept parameters )\(BIGINT, ")
_UNKNOWN: Final = re.compile(r"any functions with the name '(\w+)'")


@dataclass(frozen=True, slots=True)
class Planned:
    """A query that can be run: `functions` are the names of those that it calls; `whole` is the way to run it in whole
    batches, where there is one."""

    name: str
    plan: QueryPlan
    compiled: CompiledPlan
    source: DataSource
    sink: Sink
    functions: tuple[str, ...]
    whole: Whole | None

    @property
    def handler(self) -> str:
        """The name of the generated function that takes records."""
        return self.compiled.handlers[0][1]


def plan(
    spec: Spec,
    entries: Mapping[str, Entry],
    calls: Callable[[Entry], RemoteCall],
    topics: Mapping[str, TopicInfo],
    schemas: SchemaRegistry | None,
    on_error: Callable[[str, Exception], None],
) -> Planned:
    """Plan and compile. `calls` makes the caller of a function; `topics` are those that Kafka has.

    Raises SqlError for a query that is none, ProjectError for one that needs more than a row at a time or whose result
    is not what the stream over it declares.
    """
    used = sorted(_called(spec.query) & entries.keys())
    registry = Registry()
    for name, entry in entries.items():
        try:
            # Whatever the function, equal calls for one row are one call.
            registry.register_remote(name, _numbered(entry), calls(entry), path="processor")
        except (ParseError, ValueError):
            if name in used:
                raise
    ctx = Context(
        functions=registry,
        clock=SystemClock(),
        properties=Properties({}),
        schemas=schemas.fork() if schemas else None,
    )
    ctx.topics.update(topics)
    try:
        for statement in (*spec.before, _with_offsets(spec.query, frozenset(entries))):
            fitted = _fitted(statement, topics)
            text = print_statement(fitted)
            with ctx:
                statements.run(ctx, Prepared(fitted, text, text))
    except SqlError as error:
        # The text was printed anew: only the file and the query's line are true of what was written.
        error.location = spec.place
        error.message = error.message.replace(f"BIGINT {_OFFSET_NAME}, ", "")  # which nobody wrote
        error.message = _CALLED.sub(lambda m: f"{m[1]}(" if m[2].upper() in entries else m[0], error.message)
        if schemas is None and "ksql.schema.registry.url" in error.message:
            error.hint = "Give --registry URL."
        elif unknown := _UNKNOWN.search(error.message):
            near = difflib.get_close_matches(unknown[1].upper(), entries, n=1)
            error.hint = (
                f"Did you mean {near[0]}?" if near else "`ksqlkit functions` lists the scoring server's."
            )
        raise
    found = next(q.plan for q in ctx.queries.values() if spec.name in q.sinks)
    source, sink = _checked(found, spec)
    if spec.declared is not None:
        _compare(ctx, spec, schemas, topics)
    partitions = {
        source.topic: topics[source.topic].partitions if source.topic in topics else source.partitions
    }
    if partitions[source.topic] == sink.partitions:
        # What is keyed alike stays together, and in order even without keys.
        sink = replace(sink, in_place=True)
        assert isinstance(found.root, SinkStep)
        found = replace(found, sink=sink, root=replace(found.root, sink=sink))
    found = lift_remote(found, registry)
    compiled = compile_plan(found, registry, partitions, on_error, queryable=False, schemas=schemas)
    at_once = whole(found, registry, schemas, OFFSET)
    return Planned(spec.name, found, compiled, source, sink, tuple(used), at_once)


def plain_details(query: N.CreateAsSelect) -> set[str]:
    """Names of functions that are called for fields of their answer only, none of which are its attributions."""
    whole: set[str] = set()
    parts: set[str] = set()

    def look(node: Any) -> None:
        if isinstance(node, tuple):
            for item in node:
                look(item)
        elif isinstance(node, N.Dereference) and isinstance(node.base, N.FunctionCall):
            (whole if node.field == "ATTRIBUTIONS" else parts).add(node.base.name)
            look(node.base.args)
        elif isinstance(node, N.Node) and is_dataclass(node):
            if isinstance(node, N.FunctionCall):
                whole.add(node.name)
            for part in fields(node):
                look(getattr(node, part.name))

    look(query)
    return parts - whole


def source_topic(spec: Spec) -> str | None:
    """The topic that the query reads, None where that cannot be told."""
    sources = set(read_names(spec.query))
    return next((topic_of(s) for s in spec.before if getattr(s, "name", None) in sources), None)


def _checked(found: QueryPlan, spec: Spec) -> tuple[DataSource, Sink]:
    for step in found.root.walk():
        if not isinstance(step, SourceStep | Filter | Project | SinkStep):
            raise ProjectError(
                f"A processor looks at one row at a time; {spec.name} needs more ({type(step).__name__})",
                location=spec.place,
                hint="Join, aggregate and repartition in ksqlDB, before or after it.",
            )
    (step,) = (s for s in found.root.walk() if isinstance(s, SourceStep))
    if step.source.kind == "TABLE" or step.source.window is not None:
        raise ProjectError(f"A processor reads a stream; {step.source.name} is none", location=spec.place)
    assert found.sink is not None
    return step.source, found.sink


def _compare(
    ctx: Context, spec: Spec, schemas: SchemaRegistry | None, topics: Mapping[str, TopicInfo]
) -> None:
    """The stream that is declared over the result has the result's columns and formats."""
    assert spec.declared is not None
    made = ctx.catalog.sources[spec.name]
    other = Context(functions=ctx.functions, clock=ctx.clock, properties=ctx.properties, schemas=schemas)
    other.catalog.types.update(ctx.catalog.types)
    other.topics.update(topics)
    fitted = _fitted(spec.declared, topics)
    text = print_statement(fitted)
    with other:
        statements.run(other, Prepared(fitted, text, text))
    declared = other.catalog.sources[spec.name]
    for what, wanted, given in (
        ("columns", declared.schema.describe(), made.schema.describe()),
        ("topic", declared.topic, made.topic),
        ("value format", declared.value_format.name, made.value_format.name),
        ("key format", declared.key_format.name, made.key_format.name),
    ):
        if wanted != given:
            raise ProjectError(
                f"{spec.name} is declared with the {what} {wanted}, but its query gives {given}",
                location=spec.place,
            )


def _fitted(statement: N.Statement, topics: Mapping[str, TopicInfo]) -> N.Statement:
    """The statement with the partitions and replicas that its topic has."""
    topic = topics.get(topic_of(statement) or "")
    if topic is None or not isinstance(statement, N.CreateSource | N.CreateAsSelect):
        return statement
    kept = tuple((k, v) for k, v in statement.properties if k not in ("PARTITIONS", "REPLICAS"))
    real = (
        ("PARTITIONS", N.IntegerLiteral(topic.partitions)),
        ("REPLICAS", N.IntegerLiteral(topic.replicas)),
    )
    return replace(statement, properties=(*kept, *real))


def _numbered(entry: Entry) -> Sequence[dict[str, Any]]:
    """The overloads with the record's offset before the arguments."""
    first = {"name": _OFFSET_NAME, "type": "BIGINT"}
    return [{**overload, "args": [first, *overload["args"]]} for overload in entry.overloads]


def _with_offsets(node: Any, names: frozenset[str]) -> Any:
    """The tree with the record's offset as first argument of every call of those functions."""
    if isinstance(node, tuple):
        return tuple(_with_offsets(item, names) for item in node)
    if not isinstance(node, N.Node) or not is_dataclass(node):
        return node
    changed = {f.name: _with_offsets(getattr(node, f.name), names) for f in fields(node) if f.init}
    made = replace(node, **changed)
    if isinstance(made, N.FunctionCall) and made.name in names:
        return replace(made, args=(N.ColumnRef(OFFSET), *made.args))
    return made


def _called(node: Any) -> set[str]:
    if isinstance(node, tuple):
        return set().union(*map(_called, node)) if node else set()
    if not isinstance(node, N.Node) or not is_dataclass(node):
        return set()
    found = {node.name} if isinstance(node, N.FunctionCall) else set()
    return found.union(*(_called(getattr(node, f.name)) for f in fields(node)))
