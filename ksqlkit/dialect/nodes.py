"""The typed syntax tree: frozen dataclasses, one per construct of ksqlDB's grammar.

Equality ignores positions and comments, so `parse(print(parse(text))) == parse(text)` is the printer's test.
Names are stored as ksqlDB resolves them: unquoted identifiers upper-cased, quoted ones as written.
"""

from __future__ import annotations

import decimal
from dataclasses import dataclass, field
from typing import Literal

from ksqlkit.dialect.types import SqlType


@dataclass(frozen=True, slots=True)
class Span:
    """Where a node stands in the text: first line and column (from 1), and character offsets [start, end)."""

    line: int
    column: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Base of all nodes."""

    span: Span | None = field(default=None, compare=False, repr=False)


# ---------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Expression(Node):
    """Base of all expressions."""


@dataclass(frozen=True, slots=True)
class NullLiteral(Expression):
    """NULL."""


@dataclass(frozen=True, slots=True)
class BooleanLiteral(Expression):
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True, slots=True)
class IntegerLiteral(Expression):
    """A whole number that fits in 32 bits; its type is INTEGER."""

    value: int


@dataclass(frozen=True, slots=True)
class LongLiteral(Expression):
    """A whole number that needs 64 bits; its type is BIGINT."""

    value: int


@dataclass(frozen=True, slots=True)
class DecimalLiteral(Expression):
    """A number with a point and no exponent; its type is DECIMAL."""

    value: decimal.Decimal


@dataclass(frozen=True, slots=True)
class DoubleLiteral(Expression):
    """A number with an exponent; its type is DOUBLE."""

    value: float


@dataclass(frozen=True, slots=True)
class StringLiteral(Expression):
    """Text in single quotes (or dollar quotes), unescaped."""

    value: str


@dataclass(frozen=True, slots=True)
class ColumnRef(Expression):
    """A column, by name and optionally by source alias: `a`, `t.a`."""

    name: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class LambdaVariable(Expression):
    """A use of a lambda's parameter in its body."""

    name: str


@dataclass(frozen=True, slots=True)
class Lambda(Expression):
    """(x, y) => body."""

    params: tuple[str, ...]
    body: Expression


@dataclass(frozen=True, slots=True)
class FunctionCall(Expression):
    """NAME(args); the name is upper case."""

    name: str
    args: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class IntervalUnit(Expression):
    """A bare time unit as an argument, as in TIMESTAMPADD(SECONDS, 1, ts); upper case, plural as ksqlDB
    stores it."""

    unit: str


@dataclass(frozen=True, slots=True)
class Arithmetic(Expression):
    """left op right, op one of + - * / %."""

    op: Literal["+", "-", "*", "/", "%"]
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Signed(Expression):
    """-operand or +operand (not folded into a literal)."""

    sign: Literal["+", "-"]
    operand: Expression


CompareOp = Literal["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"]


@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    """left op right; != is stored as <>."""

    op: CompareOp
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Logical(Expression):
    """left AND|OR right."""

    op: Literal["AND", "OR"]
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Not(Expression):
    """NOT operand; also wraps the negated forms NOT BETWEEN, NOT IN, NOT LIKE."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class IsNull(Expression):
    """operand IS NULL."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class IsNotNull(Expression):
    """operand IS NOT NULL."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Between(Expression):
    """operand BETWEEN low AND high."""

    operand: Expression
    low: Expression
    high: Expression


@dataclass(frozen=True, slots=True)
class InList(Expression):
    """operand IN (items)."""

    operand: Expression
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Like(Expression):
    """operand LIKE pattern ESCAPE 'c'."""

    operand: Expression
    pattern: Expression
    escape: str | None = None


@dataclass(frozen=True, slots=True)
class When(Node):
    """WHEN condition THEN result."""

    condition: Expression
    result: Expression


@dataclass(frozen=True, slots=True)
class SearchedCase(Expression):
    """CASE WHEN ... END."""

    whens: tuple[When, ...]
    default: Expression | None = None


@dataclass(frozen=True, slots=True)
class SimpleCase(Expression):
    """CASE operand WHEN ... END."""

    operand: Expression
    whens: tuple[When, ...]
    default: Expression | None = None


@dataclass(frozen=True, slots=True)
class Cast(Expression):
    """CAST(operand AS type)."""

    operand: Expression
    type: SqlType


@dataclass(frozen=True, slots=True)
class Subscript(Expression):
    """base[index] on arrays (from 1, negative from the end) and maps."""

    base: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Dereference(Expression):
    """base->field."""

    base: Expression
    field: str


@dataclass(frozen=True, slots=True)
class ArrayConstructor(Expression):
    """ARRAY[items]."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class MapConstructor(Expression):
    """MAP(key := value, ...)."""

    entries: tuple[tuple[Expression, Expression], ...]


@dataclass(frozen=True, slots=True)
class StructConstructor(Expression):
    """STRUCT(name := value, ...)."""

    fields: tuple[tuple[str, Expression], ...]


# ---------------------------------------------------------------- queries


@dataclass(frozen=True, slots=True)
class Duration(Node):
    """`value unit`, as written; unit is upper case and plural (MILLISECONDS ... DAYS)."""

    value: int
    unit: str

    @property
    def millis(self) -> int:
        """The duration in milliseconds."""
        return self.value * MILLIS[self.unit]


MILLIS: dict[str, int] = {
    "MILLISECONDS": 1,
    "SECONDS": 1_000,
    "MINUTES": 60_000,
    "HOURS": 3_600_000,
    "DAYS": 86_400_000,
}


@dataclass(frozen=True, slots=True)
class Window(Node):
    """Base of the window clauses."""

    retention: Duration | None = field(default=None, kw_only=True)
    grace: Duration | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class TumblingWindow(Window):
    """WINDOW TUMBLING (SIZE n unit)."""

    size: Duration


@dataclass(frozen=True, slots=True)
class HoppingWindow(Window):
    """WINDOW HOPPING (SIZE n unit, ADVANCE BY n unit)."""

    size: Duration
    advance: Duration


@dataclass(frozen=True, slots=True)
class SessionWindow(Window):
    """WINDOW SESSION (gap)."""

    gap: Duration


@dataclass(frozen=True, slots=True)
class Within(Node):
    """WITHIN d, or WITHIN (before, after), with optional GRACE PERIOD."""

    before: Duration
    after: Duration
    grace: Duration | None = None


@dataclass(frozen=True, slots=True)
class Source(Node):
    """A stream or table in FROM; `alias` is its own name where none is given."""

    name: str
    alias: str


JoinType = Literal["INNER", "LEFT", "RIGHT", "FULL"]


@dataclass(frozen=True, slots=True)
class Join(Node):
    """left JOIN right WITHIN ... ON condition; n-way joins nest to the left."""

    type: JoinType
    left: Source | Join
    right: Source
    condition: Expression
    within: Within | None = None


@dataclass(frozen=True, slots=True)
class SelectColumn(Node):
    """expression [AS alias]."""

    expression: Expression
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class SelectAll(Node):
    """* or source.*."""

    source: str | None = None


@dataclass(frozen=True, slots=True)
class SelectStructAll(Node):
    """base->*."""

    base: Expression


SelectItem = SelectColumn | SelectAll | SelectStructAll


@dataclass(frozen=True, slots=True)
class Query(Node):
    """SELECT ...; `emit` is None for a pull query."""

    select: tuple[SelectItem, ...]
    source: Source | Join
    window: Window | None = None
    where: Expression | None = None
    group_by: tuple[Expression, ...] = ()
    partition_by: tuple[Expression, ...] = ()
    having: Expression | None = None
    emit: Literal["CHANGES", "FINAL"] | None = None
    limit: int | None = None


# ---------------------------------------------------------------- statements

Literals = (
    NullLiteral
    | BooleanLiteral
    | IntegerLiteral
    | LongLiteral
    | DecimalLiteral
    | DoubleLiteral
    | StringLiteral
)
Properties = tuple[tuple[str, Expression], ...]  # names upper case, values literals


@dataclass(frozen=True, slots=True)
class Comment(Node):
    """A comment with its marks, as written."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(Node):
    """Base of all statements; `comments` are those before and inside it, in order."""

    comments: tuple[Comment, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ColumnDef(Node):
    """name type [KEY | PRIMARY KEY | HEADERS | HEADER('key')]."""

    name: str
    type: SqlType
    constraint: Literal["KEY", "PRIMARY KEY", "HEADERS", "HEADER"] | None = None
    header: str | None = None


@dataclass(frozen=True, slots=True)
class CreateSource(Statement):
    """CREATE [OR REPLACE] [SOURCE] STREAM|TABLE [IF NOT EXISTS] name (columns) WITH (...)."""

    kind: Literal["STREAM", "TABLE"]
    name: str
    columns: tuple[ColumnDef, ...] = ()
    properties: Properties = ()
    or_replace: bool = False
    if_not_exists: bool = False
    source: bool = False


@dataclass(frozen=True, slots=True)
class CreateAsSelect(Statement):
    """CREATE [OR REPLACE] STREAM|TABLE [IF NOT EXISTS] name WITH (...) AS query."""

    kind: Literal["STREAM", "TABLE"]
    name: str
    query: Query
    properties: Properties = ()
    or_replace: bool = False
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class InsertInto(Statement):
    """INSERT INTO target WITH (...) query."""

    target: str
    query: Query
    properties: Properties = ()


@dataclass(frozen=True, slots=True)
class InsertValues(Statement):
    """INSERT INTO target (columns) VALUES (values)."""

    target: str
    columns: tuple[str, ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class QueryStatement(Statement):
    """A push or pull query on its own."""

    query: Query


@dataclass(frozen=True, slots=True)
class Drop(Statement):
    """DROP STREAM|TABLE [IF EXISTS] name [DELETE TOPIC]."""

    kind: Literal["STREAM", "TABLE"]
    name: str
    if_exists: bool = False
    delete_topic: bool = False


@dataclass(frozen=True, slots=True)
class AlterSource(Statement):
    """ALTER STREAM|TABLE name ADD [COLUMN] name type, ...."""

    kind: Literal["STREAM", "TABLE"]
    name: str
    columns: tuple[ColumnDef, ...]


@dataclass(frozen=True, slots=True)
class CreateType(Statement):
    """CREATE TYPE [IF NOT EXISTS] name AS type."""

    name: str
    type: SqlType
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropType(Statement):
    """DROP TYPE [IF EXISTS] name."""

    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class CreateConnector(Statement):
    """CREATE SOURCE|SINK CONNECTOR [IF NOT EXISTS] name WITH (...)."""

    kind: Literal["SOURCE", "SINK"]
    name: str
    properties: Properties
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropConnector(Statement):
    """DROP CONNECTOR [IF EXISTS] name."""

    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class DescribeSource(Statement):
    """DESCRIBE name [EXTENDED]."""

    name: str
    extended: bool = False


@dataclass(frozen=True, slots=True)
class DescribeAll(Statement):
    """DESCRIBE STREAMS|TABLES [EXTENDED]."""

    kind: Literal["STREAMS", "TABLES"]
    extended: bool = False


@dataclass(frozen=True, slots=True)
class DescribeFunction(Statement):
    """DESCRIBE FUNCTION name."""

    name: str


@dataclass(frozen=True, slots=True)
class DescribeConnector(Statement):
    """DESCRIBE CONNECTOR name."""

    name: str


@dataclass(frozen=True, slots=True)
class Show(Statement):
    """SHOW|LIST what: STREAMS, TABLES, TOPICS, ALL TOPICS, QUERIES, FUNCTIONS, PROPERTIES, TYPES,
    VARIABLES, or CONNECTORS, SOURCE CONNECTORS, SINK CONNECTORS, CONNECTOR PLUGINS."""

    what: str
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Print(Statement):
    """PRINT topic [FROM BEGINNING] [INTERVAL n] [LIMIT n]."""

    topic: str
    from_beginning: bool = False
    interval: int | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Explain(Statement):
    """EXPLAIN query_id or EXPLAIN statement."""

    query_id: str | None = None
    statement: Statement | None = None


@dataclass(frozen=True, slots=True)
class ControlQuery(Statement):
    """TERMINATE|PAUSE|RESUME query_id; `query_id` None means ALL."""

    action: Literal["TERMINATE", "PAUSE", "RESUME"]
    query_id: str | None = None


@dataclass(frozen=True, slots=True)
class SetProperty(Statement):
    """SET 'name' = 'value'."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class UnsetProperty(Statement):
    """UNSET 'name'."""

    name: str


@dataclass(frozen=True, slots=True)
class AlterSystem(Statement):
    """ALTER SYSTEM 'name' = 'value'."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Define(Statement):
    """DEFINE name = 'value'."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Undefine(Statement):
    """UNDEFINE name."""

    name: str


@dataclass(frozen=True, slots=True)
class AssertTopic(Statement):
    """ASSERT [NOT EXISTS] TOPIC name [WITH (...)] [TIMEOUT n unit]."""

    topic: str
    properties: Properties = ()
    timeout: Duration | None = None
    exists: bool = True


@dataclass(frozen=True, slots=True)
class AssertSchema(Statement):
    """ASSERT [NOT EXISTS] SCHEMA [SUBJECT s] [ID n] [TIMEOUT n unit]."""

    subject: str | None = None
    id: int | None = None
    timeout: Duration | None = None
    exists: bool = True


@dataclass(frozen=True, slots=True)
class AssertValues(Statement):
    """ASSERT [NULL] VALUES name (columns) VALUES (values); of the test language."""

    target: str
    columns: tuple[str, ...]
    values: tuple[Expression, ...]
    null: bool = False


@dataclass(frozen=True, slots=True)
class AssertSource(Statement):
    """ASSERT STREAM|TABLE name (columns) WITH (...); of the test language."""

    kind: Literal["STREAM", "TABLE"]
    name: str
    columns: tuple[ColumnDef, ...]
    properties: Properties = ()


@dataclass(frozen=True, slots=True)
class RunScript(Statement):
    """RUN SCRIPT 'path'."""

    path: str
