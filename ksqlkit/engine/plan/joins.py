"""FROM a JOIN b ON ...: keys and steps of joins; n-way joins nest to the left."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis.naming import Namer, joined
from ksqlkit.engine.analysis.scope import AliasedSource
from ksqlkit.engine.analysis.text import fail
from ksqlkit.engine.analysis.types import value_type
from ksqlkit.engine.plan import join_rules as rules
from ksqlkit.engine.plan.formats import check_key
from ksqlkit.engine.plan.keying import JoinFormat, needs_key, rekey_for_join
from ksqlkit.engine.plan.relation import Relation, Request, Star
from ksqlkit.engine.plan.sources import missing_key, read_source
from ksqlkit.engine.plan.steps import ForeignKeyJoin, Step, StreamStreamJoin, StreamTableJoin, TableTableJoin
from ksqlkit.engine.schema import Column, Schema

HIDDEN_KEY = "KSQL_JOIN_KEY_"  # before the name of a source column that is not the key in every row


@dataclass(frozen=True, slots=True)
class Side:
    """One input of a join.

    `equal` holds the qualified expressions that ksqlDB counts as equal to the side's key, `viable` the columns among
    them that may name the key, in order, and `exact` those that have the key's value in every row: a column of the
    optional side of an outer join is null where the key is not.
    """

    relation: Relation
    sources: tuple[AliasedSource, ...]
    equal: frozenset[N.Expression] = frozenset()
    viable: tuple[N.ColumnRef, ...] = ()
    exact: frozenset[N.Expression] = frozenset()

    @property
    def is_leaf(self) -> bool:
        """Whether the side is a source, not a join."""
        return len(self.sources) == 1


def from_clause(request: Request) -> Relation:
    """The FROM clause: a source or a tree of joins."""
    node = request.query.source
    if isinstance(node, N.Source):
        return read_source(request, request.left)
    return _join(request, node, rules.check_conditions(node, request.scope), "").relation


def _join(request: Request, node: N.Join, conditions: rules.Conditions, prefix: str) -> Side:
    if isinstance(node.left, N.Join):
        left = _join(request, node.left, conditions, prefix + "L_")
    else:
        left = _leaf(request, node.left, f"KafkaTopic_{prefix}Left")
    right = _leaf(request, node.right, f"KafkaTopic_{prefix}Right")
    condition = conditions[node.right.alias]
    leaves = left.is_leaf and right.is_leaf
    if rules.check_kinds(node, condition, left.relation.kind, right.relation.kind, leaves=leaves):
        return _foreign_key_join(request, node, condition, left, right)
    return _equi_join(request, node, condition, left, right, prefix)


def _leaf(request: Request, node: N.Source, name: str) -> Side:
    source = request.scope.named(node.alias)
    assert source is not None
    return Side(read_source(request, source, name), (source,))


def _equi_join(
    request: Request, node: N.Join, condition: rules.Condition, left: Side, right: Side, prefix: str
) -> Side:
    kinds = (left.relation.kind, right.relation.kind)
    tables = kinds == ("TABLE", "TABLE")
    if tables:
        rules.check_types(
            condition, left.relation.step.schema.key[0].type, right.relation.step.schema.key[0].type
        )
    side = _merged(node, condition, left, right)
    fmt = _key_format(request, condition, left, right)
    keyed = condition.left in left.equal
    one = left.relation if keyed else _rekeyed(request, left, condition.left, fmt, prefix + "Left")
    other = _rekeyed(request, right, condition.right, fmt, prefix + "Right")
    rules.check_within(node, *kinds)
    _check_partitions(left, right, node)
    key_types = one.step.schema.key[0].type, other.step.schema.key[0].type
    if key_types[0] != key_types[1]:
        raise fail(f"Invalid join. Key types differ: {key_types[0]} vs {key_types[1]}", node.condition)

    known = _key_name(request, side)
    synthetic = not side.viable
    exact = {joined(e.source, e.name) for e in side.viable if e.source is not None and e in side.exact}
    step_key = known if synthetic or known in exact else HIDDEN_KEY + known
    layout = (*one.layout, *other.layout, *((known,) if synthetic else ()))
    check_key(one.key_format, [Column(known, key_types[0])])
    by_name = {c.name: c for c in (*one.step.schema.columns, *other.step.schema.columns)}
    values = tuple(by_name[n] for n in layout if n != step_key)
    schema = Schema((Column(step_key, key_types[0]),), values)
    relation = replace(
        one,
        step=_step(f"{prefix}Join", schema, node, one.step, other.step, kinds),
        kind="TABLE" if tables else "STREAM",
        partitions=other.partitions,
        layout=layout,
        keys={known: step_key},
        star=_star(side.sources, known if synthetic and not prefix else None),
        resolve=request.scope.internal,
        key_missing=lambda r: _key_missing(r, side, known),
    )
    return replace(side, relation=relation)


def _step(
    name: str, schema: Schema, node: N.Join, left: Step, right: Step, kinds: tuple[str, str]
) -> StreamStreamJoin | StreamTableJoin | TableTableJoin:
    if kinds == ("TABLE", "TABLE"):
        return TableTableJoin(name, schema, left, right, node.type)
    if kinds == ("STREAM", "TABLE"):
        if node.type == "RIGHT":
            raise fail(f"Invalid join type encountered: {rules.TYPE_TEXT[node.type]}", node)
        return StreamTableJoin(name, schema, left, right, node.type)
    assert node.within is not None
    grace = None if node.within.grace is None else node.within.grace.millis
    before, after = node.within.before.millis, node.within.after.millis
    return StreamStreamJoin(name, schema, left, right, node.type, before, after, grace)


def _merged(node: N.Join, condition: rules.Condition, left: Side, right: Side) -> Side:
    """What the join makes of its sides' key equalities."""
    sources = (*left.sources, *right.sources)
    if node.type == "FULL":
        return Side(left.relation, sources)
    equal = frozenset({condition.left, condition.right})
    if left.equal & equal:
        equal |= left.equal
    candidates = (*left.viable, condition.left, *right.viable, condition.right)
    viable = tuple(dict.fromkeys(e for e in candidates if isinstance(e, N.ColumnRef) and e in equal))
    exact: frozenset[N.Expression] = frozenset()
    if node.type in ("INNER", "LEFT"):
        exact |= left.exact if condition.left in left.equal else {condition.left}
    if node.type in ("INNER", "RIGHT"):
        exact |= {condition.right}
    return Side(left.relation, sources, equal, viable, exact)


def _key_name(request: Request, side: Side) -> str:
    """What the query calls the join key: the first viable column that is selected, or ROWKEY."""
    if not side.viable:
        return Namer(s.source.schema for s in side.sources).join_key()
    chosen = next((e for e in side.viable if e in request.projection), side.viable[0])
    assert chosen.source is not None
    return joined(chosen.source, chosen.name)


def _key_format(request: Request, condition: rules.Condition, left: Side, right: Side) -> JoinFormat:
    """The format both sides' keys get: that of the first side that is keyed right already, else of the first source."""
    for side, expr in ((left, condition.left), (right, condition.right)):
        keyed = expr in side.equal or not needs_key(side.relation, (request.scope.internal(expr),))
        if keyed:
            return side.relation.key_format, side.relation.window
    sources = (*left.sources, *right.sources)
    found = ((s.source.key_format, s.source.window) for s in sources if s.source.key_format.name != "NONE")
    return next(found, (request.default_key_format, None))


def _rekeyed(request: Request, side: Side, expr: N.Expression, fmt: JoinFormat, prefix: str) -> Relation:
    alias = side.sources[0].alias if side.is_leaf else None
    return rekey_for_join(
        request, side.relation, request.scope.internal(expr), f"{prefix}SourceKeyed", alias, fmt
    )


def _check_partitions(left: Side, right: Side, node: N.Node) -> None:
    one, other = left.relation.partitions, right.relation.partitions
    if one != other:
        a, b = f"`{left.sources[0].alias}`", f"`{right.sources[0].alias}`"
        raise fail(
            f"Can't join {a} with {b} since the number of partitions don't match. {a} partitions = {one}; "
            f"{b} partitions = {other}. Please repartition either one so that the number of partitions match.",
            node,
        )


def _star(sources: tuple[AliasedSource, ...], synthetic: str | None) -> Star:
    def star(alias: str | None) -> tuple[str, ...]:
        names = tuple(joined(s.alias, c) for s in sources if alias in (None, s.alias) for c in s.star())
        return (synthetic, *names) if synthetic and alias is None else names

    return star


def _key_missing(request: Request, side: Side, known: str) -> None:
    projection = request.projection
    if side.viable:
        if not any(e in projection for e in side.viable):
            missing_key(request, "join expression", list(side.viable), any_of=True)
    elif N.ColumnRef(known) not in projection:
        missing_key(request, "join expression", [N.ColumnRef(known)], any_of=True, synthetic=True)


def _foreign_key_join(
    request: Request, node: N.Join, condition: rules.Condition, left: Side, right: Side
) -> Side:
    one, other = left.relation, right.relation
    foreign = request.scope.internal(condition.left)
    rules.check_types(
        condition, value_type(foreign, one.types, request.functions), other.step.schema.key[0].type
    )
    if node.type == "RIGHT":
        raise fail("RIGHT OUTER JOIN on a foreign key is not supported", node)
    rules.check_within(node, one.kind, other.kind)
    layout = (*one.layout, *other.layout)
    keys = tuple(c.name for c in one.step.schema.key)
    by_name = {c.name: c for c in (*one.step.schema.columns, *other.step.schema.columns)}
    schema = Schema(one.step.schema.key, tuple(by_name[n] for n in layout if n not in keys))
    sources = (*left.sources, *right.sources)
    relation = replace(
        one,
        step=ForeignKeyJoin("Join", schema, one.step, other.step, node.type, foreign),
        layout=layout,
        partitions=other.partitions,
        star=_star(sources, None),
        key_missing=lambda r: _foreign_key_missing(r, left.sources[0]),
    )
    # The key of a foreign-key join is the left's; as the left of another join it counts as keyed by nothing known.
    return Side(relation, sources)


def _foreign_key_missing(request: Request, left: AliasedSource) -> None:
    projection = request.projection
    missing = [c.name for c in left.source.schema.key if N.ColumnRef(c.name, left.alias) not in projection]
    if not missing:
        return
    column = "column" if len(missing) == 1 else "columns"
    listed = ", ".join(f"`{m}`" for m in missing)
    raise fail(
        f"Primary key {column} missing in projection. For foreign-key table-table joins, the projection must include "
        f"all primary key columns from the left input table (`{left.alias}`). Missing {column}: {listed}.",
        request.query,
    )
