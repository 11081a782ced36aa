"""sqlglot's statements to ksqlkit's tree."""

from __future__ import annotations

from typing import Any, cast

from sqlglot import exp

from ksqlkit.dialect import nodes as n
from ksqlkit.dialect.glot.from_expressions import from_expression, many
from ksqlkit.dialect.glot.names import name_of
from ksqlkit.dialect.glot.types import from_type
from ksqlkit.dialect.parser import parse_single
from ksqlkit.dialect.parser.queries import parse_window_text, parse_within_text
from ksqlkit.errors import StatementError


def from_statement(node: exp.Expr) -> n.Statement:
    """The same statement as ksqlDB's. Raises StatementError where ksqlDB has nothing like it."""
    if isinstance(node, exp.Select):
        return n.QueryStatement(from_query(node))
    if isinstance(node, exp.Create):
        return _create(node)
    if isinstance(node, exp.Insert):
        return _insert(node)
    if isinstance(node, exp.Drop):
        topic = bool(node.args.get("ksqldb_delete_topic"))
        return n.Drop(_kind(node), name_of(node.this.this), bool(node.args.get("exists")), topic)
    if isinstance(node, exp.Command):
        return parse_single(f"{node.name}{node.args.get('expression') or ''}", testing=True)
    raise StatementError(f"ksqlDB has no statement like {type(node).__name__}: {node.sql()}")


def _kind(node: exp.Expr) -> Any:
    kind = str(node.args.get("kind")).upper()
    if kind not in ("STREAM", "TABLE"):
        raise StatementError(f"ksqlDB cannot create or drop a {kind}", hint="use a STREAM or a TABLE")
    return kind


def _properties(given: exp.Expr | None) -> n.Properties:
    if given is None:
        return ()
    pairs = ((p.name, p.args["value"]) for p in given.expressions if isinstance(p, exp.Property))
    return tuple(sorted((name.upper(), from_expression(value)) for name, value in pairs))


def _create(node: exp.Create) -> n.Statement:
    kind, target = _kind(node), node.this
    replace, exists = bool(node.args.get("replace")), bool(node.args.get("exists"))
    properties = _properties(node.args.get("properties"))
    if node.expression:
        name = name_of(target.this)
        query = from_query(node.expression, persistent=True)
        return n.CreateAsSelect(kind, name, query, properties, replace, exists)
    columns: tuple[n.ColumnDef, ...] = ()
    if isinstance(target, exp.Schema):
        columns = tuple(_column(c) for c in target.expressions)
        target = target.this
    source = bool(node.args.get("ksqldb_source"))
    return n.CreateSource(kind, name_of(target.this), columns, properties, replace, exists, source)


def _column(node: exp.Expr) -> n.ColumnDef:
    constraint: Any = node.args.get("ksqldb_constraint")
    if any(isinstance(c.args.get("kind"), exp.PrimaryKeyColumnConstraint) for c in node.args["constraints"]):
        constraint = "PRIMARY KEY"
    return n.ColumnDef(
        name_of(node.this), from_type(node.args["kind"]), constraint, node.args.get("ksqldb_header")
    )


def _insert(node: exp.Insert) -> n.Statement:
    target = node.this
    columns: tuple[str, ...] = ()
    if isinstance(target, exp.Schema):
        columns = tuple(name_of(c) for c in target.expressions)
        target = target.this
    name = name_of(target.this)
    if isinstance(node.expression, exp.Values):
        rows = node.expression.expressions
        if len(rows) != 1:
            raise StatementError("ksqlDB inserts one row a statement", hint="write one INSERT for each row")
        return n.InsertValues(name, columns, many(rows[0].expressions))
    given = _properties(node.args.get("ksqldb_properties"))
    return n.InsertInto(name, from_query(node.expression, persistent=True), given)


def from_query(node: exp.Expr, *, persistent: bool = False) -> n.Query:
    """A SELECT. Raises StatementError for clauses that ksqlDB does not have."""
    if not isinstance(node, exp.Select) or not node.args.get("from_"):
        raise StatementError(f"ksqlDB has no query like {node.sql()}")
    for clause in ("distinct", "order", "offset", "qualify", "with_", "laterals"):
        if node.args.get(clause):
            raise StatementError(f"ksqlDB's SELECT has no {clause.strip('_').upper()}", statement=node.sql())
    source: n.Source | n.Join = _source(node.args["from_"].this)
    for join in node.args.get("joins") or []:
        source = _join(source, join)
    args = node.args
    window, emit, limit = args.get("ksqldb_window"), args.get("ksqldb_emit"), args.get("limit")
    return n.Query(
        tuple(_item(item) for item in node.expressions),
        source,
        None if window is None else parse_window_text(window),
        _clause(args.get("where")),
        many(args["group"].expressions) if args.get("group") else (),
        many(args.get("ksqldb_partition_by") or []),
        _clause(args.get("having")),
        emit or ("CHANGES" if persistent else None),
        None if limit is None else _limit(limit),
    )


def _limit(node: exp.Expr) -> int:
    found = from_expression(node.expression)
    if not isinstance(found, n.IntegerLiteral):
        raise StatementError(f"LIMIT takes a whole number, not {node.expression.sql()}")
    return found.value


def _clause(node: exp.Expr | None) -> n.Expression | None:
    return None if node is None else from_expression(node.this)


def _item(node: exp.Expr) -> n.SelectItem:
    if isinstance(node, exp.Alias):
        return n.SelectColumn(from_expression(node.this), name_of(node.args["alias"]))
    if isinstance(node, exp.Star):
        return n.SelectAll()
    if isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
        return n.SelectAll(name_of(node.args["table"]))
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Star):
        return n.SelectStructAll(from_expression(node.this))
    return n.SelectColumn(from_expression(node))


def _source(node: exp.Expr) -> n.Source:
    if not isinstance(node, exp.Table):
        raise StatementError(f"ksqlDB reads streams and tables by name only, not {node.sql()}")
    name, alias = name_of(node.this), node.args.get("alias")
    return n.Source(name, name_of(alias.this) if alias else name)


def _join(left: n.Source | n.Join, node: exp.Expr) -> n.Join:
    side = str(node.args.get("side") or "INNER").upper()
    on, within = node.args.get("on"), node.args.get("ksqldb_within")
    if on is None:
        raise StatementError(f"ksqlDB joins need ON: {node.sql()}")
    return n.Join(
        cast(n.JoinType, side),
        left,
        _source(node.this),
        from_expression(on),
        None if within is None else parse_within_text(within),
    )
