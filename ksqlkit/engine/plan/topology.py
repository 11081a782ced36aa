"""The processors a plan runs as, as Kafka Streams would name, number, group and print them.

Every processor takes a number, also those that have a name of their own; the ones without show theirs.
"""

from __future__ import annotations

from ksqlkit.engine.plan.steps import (
    Aggregate,
    Filter,
    ForeignKeyJoin,
    GroupBy,
    Project,
    QueryPlan,
    SelectKey,
    SinkStep,
    SourceStep,
    Step,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
)


class _Node:
    """A processor: what it is, what it reads and what reads it."""

    def __init__(self, name: str, kind: str, detail: str) -> None:
        self.name, self.kind, self.detail = name, kind, detail
        self.before: list[_Node] = []
        self.after: list[_Node] = []

    @property
    def size(self) -> int:
        """How many processors the rows go through from here on."""
        return 1 + sum(n.size for n in self.after)


class _Topology:
    """Processors under construction, in the order in which Kafka Streams makes them."""

    def __init__(self) -> None:
        self.nodes: list[_Node] = []
        self._links: list[tuple[_Node, _Node]] = []  # connected without a row going that way, by a store
        self.number = 0

    def skip(self, count: int = 1) -> None:
        """Take numbers that nothing shows."""
        self.number += count

    def add(
        self, name: str, *before: _Node, stores: str = "", kind: str = "Processor", detail: str = ""
    ) -> _Node:
        """A processor with a name of its own."""
        self.number += 1
        node = _Node(name, kind, detail or f"(stores: [{stores}])")
        node.before = list(before)
        for other in before:
            other.after.append(node)
        self.nodes.append(node)
        return node

    def numbered(
        self, word: str, *before: _Node, stores: str = "", kind: str = "Processor", detail: str = ""
    ) -> _Node:
        """A processor that is called by its number."""
        return self.add(f"{word}-{self.number:010d}", *before, stores=stores, kind=kind, detail=detail)

    def share(self, one: _Node, other: _Node) -> None:
        """Keep two processors in one sub-topology because they use the same store."""
        self._links.append((one, other))

    def repartition(self, name: str, before: _Node) -> _Node:
        """Through a repartition topic, into another sub-topology."""
        topic = f"{name}-repartition"
        kept = self.add(f"{topic}-filter", before)
        self.add(f"{topic}-sink", kept, kind="Sink", detail=f"(topic: {topic})")
        return self.add(f"{topic}-source", kind="Source", detail=f"(topics: [{topic}])")

    def groups(self) -> list[list[_Node]]:
        """The sub-topologies, each with its largest processors first."""
        group = {id(n): i for i, n in enumerate(self.nodes)}
        links = [(n, other) for n in self.nodes for other in n.after] + self._links
        changed = True
        while changed:
            changed = False
            for one, other in links:
                low = min(group[id(one)], group[id(other)])
                changed = changed or group[id(one)] != group[id(other)]
                group[id(one)] = group[id(other)] = low
        found: dict[int, list[_Node]] = {}
        for node in self.nodes:
            found.setdefault(group[id(node)], []).append(node)
        return [sorted(nodes, key=lambda n: (-n.size, n.name)) for nodes in found.values()]


def format_topology(plan: QueryPlan) -> str:
    """The processors of the running query, grouped into sub-topologies, each with what it feeds and reads."""
    topology = _Topology()
    last = _build(plan.unpruned or plan.root, topology)
    if plan.sink is None:
        if plan.kind == "TABLE":
            last = topology.numbered("KTABLE-TOSTREAM", last)
        topology.numbered("KSTREAM-FOREACH" if plan.kind == "TABLE" else "KSTREAM-PROCESSOR", last)
    out = "Topologies:\n "
    for number, nodes in enumerate(topology.groups()):
        out += f"  Sub-topology: {number}\n"
        for node in nodes:
            out += f"    {node.kind}: {node.name} {node.detail}\n"
            if node.kind != "Sink":
                after = sorted(node.after, key=lambda n: (-n.size, n.name))
                out += f"      --> {', '.join(n.name for n in after) or 'none'}\n"
            if node.before:
                out += f"      <-- {', '.join(n.name for n in node.before)}\n"
        out += "\n"
    return out


def _build(step: Step, t: _Topology) -> _Node:
    """Add the step's processors and those below it; answer the last one."""
    match step:
        case SourceStep():
            return _prepended(step, _source(step, t), t)
        case SinkStep(sink=sink):
            last = _build(step.input, t)
            if sink.kind == "TABLE":
                last = t.numbered("KTABLE-TOSTREAM", last)
            return t.numbered("KSTREAM-SINK", last, kind="Sink", detail=f"(topic: {sink.topic})")
        case SelectKey(input=SourceStep() as source):
            last = t.add(f"{step.name}-SelectKey", _source(source, t))
            return _prepended(source, last, t)
        case SelectKey():
            return t.add(f"{step.name}-SelectKey", _build(step.input, t))
        case Filter() if _is_table(step.input):
            last = _build(step.input, t)
            for part in ("ApplyPredicate", "Filter", "PostProcess"):
                last = t.add(f"{step.name}-{part}", last)
            return last
        case Aggregate():
            return _aggregate(step, t)
        case StreamStreamJoin():
            return _stream_join(step, t)
        case StreamTableJoin():
            table = _build(step.right, t)
            last = _build(step.left, t)
            if isinstance(step.left, SelectKey):
                last = t.repartition(step.name, last)
            join = t.add(step.name, last, stores=_store(step.right))
            t.share(join, table)
            return join
        case TableTableJoin() | ForeignKeyJoin():
            left, right = _build(step.left, t), _build(step.right, t)
            this = t.add(f"{step.name}-join-this", left, stores=_store(step.right))
            other = t.add(f"{step.name}-join-other", right, stores=_store(step.left))
            return t.add(step.name, this, other)
    return t.add(step.name, _build(step.inputs[0], t))


def _is_table(step: Step) -> bool:
    if isinstance(step, SourceStep):
        return step.source.kind == "TABLE"
    if isinstance(step, Filter | Project | SelectKey):
        return _is_table(step.input)
    return isinstance(step, Aggregate | TableTableJoin | ForeignKeyJoin)


def _store(step: Step) -> str:
    """The store that keeps a table's rows."""
    sources = [s for s in step.walk() if isinstance(s, SourceStep)]
    return f"{sources[0].name.removesuffix('-Source')}-Reduce"


def _source(step: SourceStep, t: _Topology) -> _Node:
    detail = f"(topics: [{step.source.topic}])"
    if step.source.kind == "STREAM":
        return t.numbered(
            "KSTREAM-TRANSFORMVALUES", t.numbered("KSTREAM-SOURCE", kind="Source", detail=detail)
        )
    if step.source.window is not None:
        read = t.numbered("KSTREAM-SOURCE", kind="Source", detail=detail)
        return t.numbered("KTABLE-TRANSFORMVALUES", t.numbered("KTABLE-SOURCE", read, stores=_store(step)))
    t.skip()
    read = t.numbered("KTABLE-SOURCE", t.numbered("KSTREAM-SOURCE", kind="Source", detail=detail))
    return t.numbered(
        "KTABLE-TRANSFORMVALUES", t.numbered("KTABLE-TRANSFORMVALUES", read, stores=_store(step))
    )


def _prepended(step: SourceStep, last: _Node, t: _Topology) -> _Node:
    """In joins ksqlDB gives the columns their alias in a step of its own."""
    if all(c.name == o for c, o in zip(step.schema.columns, step.origins, strict=True)):
        return last
    return t.add(f"PrependAlias{step.name.removeprefix('KafkaTopic_').removesuffix('-Source')}", last)


def _aggregate(step: Aggregate, t: _Topology) -> _Node:
    group: GroupBy = step.input
    last = t.add("Aggregate-Prepare", _build(group.input, t))
    if group.rekey:
        word = "KTABLE-FILTER" if step.kind == "TABLE" else "KSTREAM-FILTER"
        last = t.add(group.name, t.numbered(word, last))
    number = t.number
    t.skip()
    if group.rekey:
        last = t.repartition(group.name, last)
    node = _Node(f"KSTREAM-AGGREGATE-{number:010d}", "Processor", f"(stores: [{step.name}-Materialize])")
    node.before = [last]
    last.after.append(node)
    t.nodes.append(node)
    last = t.add(f"{step.name}-ToOutputSchema", node)
    return last if step.window is None else t.add(f"{step.name}-WindowSelect", last)


def _stream_join(step: StreamStreamJoin, t: _Topology) -> _Node:
    left, right = _build(step.left, t), _build(step.right, t)
    if isinstance(step.left, SelectKey):
        left = t.repartition(f"{step.name}-left", left)
    if isinstance(step.right, SelectKey):
        right = t.repartition(f"{step.name}-right", right)
    left_outer, right_outer = step.type in ("LEFT", "FULL"), step.type in ("RIGHT", "FULL")
    first = t.number + 2
    this_store = f"KSTREAM-{'OUTERTHIS' if right_outer else 'JOINTHIS'}-{first:010d}-store"
    other_store = f"KSTREAM-{'OUTEROTHER' if left_outer else 'JOINOTHER'}-{first + 1:010d}-store"
    shared = f", KSTREAM-OUTERSHARED-{first:010d}-store" if left_outer or right_outer else ""
    left = t.add(f"{step.name}-this-windowed", left, stores=this_store)
    right = t.add(f"{step.name}-other-windowed", right, stores=other_store)
    this = t.add(f"{step.name}{'-outer' if right_outer else ''}-this-join", left, stores=other_store + shared)
    other = t.add(
        f"{step.name}{'-outer' if left_outer else ''}-other-join", right, stores=this_store + shared
    )
    return t.add(f"{step.name}-merge", this, other)
