"""The processors a plan runs as, in the shape in which Kafka Streams describes topologies."""

from __future__ import annotations

from ksqlkit.engine.plan.steps import (
    Aggregate,
    ForeignKeyJoin,
    GroupBy,
    QueryPlan,
    SelectKey,
    SinkStep,
    SourceStep,
    Step,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
)


class _Topology:
    """Processors grouped into sub-topologies: a repartition ends one and begins another."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self._number = 0

    def numbered(self, word: str) -> str:
        """A node name as Kafka Streams makes them: KSTREAM-SOURCE-0000000000."""
        self._number += 1
        return f"{word}-{self._number - 1:010d}"


def format_topology(plan: QueryPlan) -> str:
    """The processors of the running query, as Kafka Streams describes its topologies."""
    topology = _Topology()
    nodes: dict[str, _Node] = {}
    last = _build(plan.root, topology, nodes)
    if not isinstance(plan.root, SinkStep):
        _link(nodes, topology.numbered("KSTREAM-FOREACH"), "Processor", "(stores: [])", [last])
    return _render(nodes)


class _Node:
    """A processor: what it is, what it reads and what reads it."""

    def __init__(self, name: str, kind: str, detail: str, group: int) -> None:
        self.name, self.kind, self.detail, self.group = name, kind, detail, group
        self.before: list[str] = []
        self.after: list[str] = []


def _link(nodes: dict[str, _Node], name: str, kind: str, detail: str, before: list[str]) -> str:
    groups = {nodes[b].group for b in before}
    group = min(groups) if groups else 1 + max((n.group for n in nodes.values()), default=-1)
    for node in nodes.values():
        if node.group in groups:
            node.group = group
    nodes[name] = _Node(name, kind, detail, group)
    nodes[name].before = before
    for b in before:
        nodes[b].after.append(name)
    return name


def _repartition(nodes: dict[str, _Node], name: str, before: str) -> str:
    """Through a repartition topic, into a sub-topology of its own."""
    topic = f"{name}-repartition"
    kept = _link(nodes, f"{topic}-filter", "Processor", "(stores: [])", [before])
    _link(nodes, f"{topic}-sink", "Sink", f"(topic: {topic})", [kept])
    return _link(nodes, f"{topic}-source", "Source", f"(topics: [{topic}])", [])


def _build(step: Step, topology: _Topology, nodes: dict[str, _Node]) -> str:
    """Add the step's processors and those below it; answer the name of the last one."""
    match step:
        case SourceStep(source=source):
            read = _link(
                nodes, topology.numbered("KSTREAM-SOURCE"), "Source", f"(topics: [{source.topic}])", []
            )
            if source.kind == "STREAM":
                return _link(
                    nodes, topology.numbered("KSTREAM-TRANSFORMVALUES"), "Processor", "(stores: [])", [read]
                )
            store = f"[{step.name.removesuffix('-Source')}-Reduce]" if step.materialized else "[]"
            table = _link(
                nodes, topology.numbered("KTABLE-SOURCE"), "Processor", f"(stores: {store})", [read]
            )
            return _link(
                nodes, topology.numbered("KTABLE-TRANSFORMVALUES"), "Processor", "(stores: [])", [table]
            )
        case SinkStep(sink=sink):
            last = _build(step.input, topology, nodes)
            if sink.kind == "TABLE":
                last = _link(nodes, topology.numbered("KTABLE-TOSTREAM"), "Processor", "(stores: [])", [last])
            return _link(nodes, topology.numbered("KSTREAM-SINK"), "Sink", f"(topic: {sink.topic})", [last])
        case GroupBy():
            last = _link(nodes, step.name, "Processor", "(stores: [])", [_build(step.input, topology, nodes)])
            return _repartition(nodes, step.name, last) if step.rekey else last
        case Aggregate():
            last = _build(step.input, topology, nodes)
            stores = f"(stores: [{step.name}-Materialize])"
            last = _link(nodes, topology.numbered("KSTREAM-AGGREGATE"), "Processor", stores, [last])
            return _link(nodes, f"{step.name}-ToOutputSchema", "Processor", "(stores: [])", [last])
        case StreamStreamJoin() | StreamTableJoin() | TableTableJoin() | ForeignKeyJoin():
            sides = []
            for side, name in ((step.left, "left"), (step.right, "right")):
                last = _build(side, topology, nodes)
                if isinstance(side, SelectKey):
                    last = _repartition(nodes, f"{step.name}-{name}", last)
                sides.append(last)
            stores = (
                f"(stores: [{step.name}-left, {step.name}-right])"
                if isinstance(step, StreamStreamJoin)
                else "(stores: [])"
            )
            return _link(nodes, step.name, "Processor", stores, sides)
    name = f"{step.name}-SelectKey" if isinstance(step, SelectKey) else step.name
    return _link(nodes, name, "Processor", "(stores: [])", [_build(step.inputs[0], topology, nodes)])


def _render(nodes: dict[str, _Node]) -> str:
    out = "Topologies:\n"
    for number, group in enumerate(dict.fromkeys(n.group for n in nodes.values())):
        out += f"   Sub-topology: {number}\n"
        for node in nodes.values():
            if node.group != group:
                continue
            out += f"    {node.kind}: {node.name} {node.detail}\n"
            if node.kind != "Sink":
                out += f"      --> {', '.join(node.after) or 'none'}\n"
            if node.before:
                out += f"      <-- {', '.join(node.before)}\n"
        out += "\n"
    return out
