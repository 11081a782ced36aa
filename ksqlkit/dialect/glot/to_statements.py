"""Statements of ksqlkit's tree to sqlglot's."""

from __future__ import annotations

from sqlglot import exp

from ksqlkit.dialect import nodes as n
from ksqlkit.dialect.glot.names import identifier
from ksqlkit.dialect.glot.to_expressions import to_expression
from ksqlkit.dialect.glot.types import to_type
from ksqlkit.dialect.printer import statement_text
from ksqlkit.dialect.printer.queries import window_text, within_text


def to_statement(node: n.Statement) -> exp.Expr:
    """The same statement as a sqlglot tree; without a better form, an exp.Command with ksqlDB's text."""
    if isinstance(node, n.QueryStatement):
        return to_query(node.query)
    if isinstance(node, n.CreateAsSelect):
        return exp.Create(
            this=_table(node.name),
            kind=node.kind,
            replace=node.or_replace,
            exists=node.if_not_exists,
            properties=_properties(node.properties),
            expression=to_query(node.query),
        )
    if isinstance(node, n.CreateSource):
        return exp.Create(
            this=_schema(node.name, node.columns),
            kind=node.kind,
            replace=node.or_replace,
            exists=node.if_not_exists,
            properties=_properties(node.properties),
            ksqldb_source=node.source,
        )
    if isinstance(node, n.InsertInto):
        return exp.Insert(
            this=_table(node.target),
            expression=to_query(node.query),
            ksqldb_properties=_properties(node.properties),
        )
    if isinstance(node, n.InsertValues):
        values = exp.Values(expressions=[exp.Tuple(expressions=[to_expression(v) for v in node.values])])
        target: exp.Expr = _table(node.target)
        if node.columns:
            target = exp.Schema(this=target, expressions=[identifier(c) for c in node.columns])
        return exp.Insert(this=target, expression=values)
    if isinstance(node, n.Drop):
        return exp.Drop(
            this=_table(node.name),
            kind=node.kind,
            exists=node.if_exists,
            ksqldb_delete_topic=node.delete_topic,
        )
    word, _, rest = statement_text(node).removesuffix(";").partition(" ")
    return exp.Command(this=word, expression=" " + rest)


def to_query(node: n.Query) -> exp.Select:
    """A query; window, EMIT and PARTITION BY travel beside sqlglot's own clauses."""
    joins: list[exp.Expr] = []
    source = node.source
    while isinstance(source, n.Join):
        joins.insert(0, _join(source))
        source = source.left
    group = exp.Group(expressions=[to_expression(e) for e in node.group_by]) if node.group_by else None
    return exp.Select(
        expressions=[_item(item) for item in node.select],
        from_=exp.From(this=_source(source)),
        joins=joins,
        where=None if node.where is None else exp.Where(this=to_expression(node.where)),
        group=group,
        having=None if node.having is None else exp.Having(this=to_expression(node.having)),
        limit=None if node.limit is None else exp.Limit(expression=exp.Literal.number(node.limit)),
        ksqldb_partition_by=[to_expression(e) for e in node.partition_by],
        ksqldb_window=None if node.window is None else window_text(node.window),
        ksqldb_emit=node.emit,
    )


def _item(item: n.SelectItem) -> exp.Expr:
    if isinstance(item, n.SelectAll):
        return (
            exp.Star() if item.source is None else exp.Column(this=exp.Star(), table=identifier(item.source))
        )
    if isinstance(item, n.SelectStructAll):
        return exp.Dot(this=to_expression(item.base), expression=exp.Star())
    found = to_expression(item.expression)
    return found if item.alias is None else exp.Alias(this=found, alias=identifier(item.alias))


def _table(name: str) -> exp.Table:
    return exp.Table(this=identifier(name))


def _source(node: n.Source) -> exp.Table:
    alias = None if node.alias == node.name else exp.TableAlias(this=identifier(node.alias))
    return exp.Table(this=identifier(node.name), alias=alias)


def _join(node: n.Join) -> exp.Join:
    return exp.Join(
        this=_source(node.right),
        side=None if node.type == "INNER" else node.type,
        kind="INNER" if node.type == "INNER" else "OUTER",
        on=to_expression(node.condition),
        ksqldb_within=None if node.within is None else within_text(node.within),
    )


def _properties(given: n.Properties) -> exp.Properties | None:
    if not given:
        return None
    items = [exp.Property(this=exp.Var(this=name), value=to_expression(value)) for name, value in given]
    return exp.Properties(expressions=items)


def _schema(name: str, columns: tuple[n.ColumnDef, ...]) -> exp.Expr:
    if not columns:
        return _table(name)
    return exp.Schema(this=_table(name), expressions=[_column(c) for c in columns])


def _column(node: n.ColumnDef) -> exp.ColumnDef:
    constraints = []
    if node.constraint == "PRIMARY KEY":
        constraints.append(exp.ColumnConstraint(kind=exp.PrimaryKeyColumnConstraint()))
    found = exp.ColumnDef(this=identifier(node.name), kind=to_type(node.type), constraints=constraints)
    if node.constraint not in (None, "PRIMARY KEY"):
        found.set("ksqldb_constraint", node.constraint)
        found.set("ksqldb_header", node.header)
    return found
