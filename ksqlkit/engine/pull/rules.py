"""What a pull query's WHERE may look like when table scans are off; some of it holds always. Messages are ksqlDB's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import print_expression
from ksqlkit.dialect import types as T
from ksqlkit.engine.analysis import trees
from ksqlkit.engine.catalog import DataSource
from ksqlkit.engine.pull.where import Conjunct
from ksqlkit.errors import StatementError

HELP: Final = (
    " See https://cnfl.io/queries for more info.\nAdd EMIT CHANGES if you intended to issue a push query."
)
_WHERE: Final = (
    "\nPull queries require a WHERE clause that:\n"
    " - includes a key equality expression, e.g. `SELECT * FROM X WHERE <key-column> = Y;`.\n"
    " - in the case of a multi-column key, is a conjunction of equality expressions that cover all key columns.\n"
    " - to support range expressions, e.g.,  SELECT * FROM X WHERE <key-column> < Y;`, range scans need to be "
    "enabled by setting ksql.query.pull.range.scan.enabled=true"
)
_WINDOWED: Final = (
    "\n - (optionally) limits the time bounds of the windowed table.\n"
    "\t Bounds on [`WINDOWSTART`, `WINDOWEND`] are supported\n"
    "\t Supported operators are [EQUAL, GREATER_THAN, GREATER_THAN_OR_EQUAL, LESS_THAN, LESS_THAN_OR_EQUAL]"
)
_SCAN: Final = (
    "\nIf more flexible queries are needed, , table scans can be enabled by setting "
    "ksql.query.pull.table.scan.enabled=true."
)
_INEXACT: Final = ("<>", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")


def refusal(message: str, *, windowed: bool = False) -> StatementError:
    """An error about WHERE, with what it should look like."""
    return StatementError(f"{message}. {HELP}{_WHERE}{_WINDOWED if windowed else ''}{_SCAN}")


def check_likes(where: N.Expression, types: dict[str, T.SqlType]) -> None:
    """LIKE on a column takes text columns and constant patterns only. Raises StatementError."""
    for like in (e for e in trees.walk(where) if isinstance(e, N.Like)):
        if not isinstance(like.operand, N.ColumnRef) or like.operand.name not in types:
            continue
        kind = types[like.operand.name]
        if kind != T.STRING:
            shown = kind.name if isinstance(kind, T.Primitive) else type(kind).__name__.upper()
            raise refusal(f"The column type for Like condition must be VARCHAR. The column type is {shown}")


def require_keys(parts: Sequence[Conjunct], source: DataSource, *, ranges: bool) -> None:
    """Without table scans every disjunct must pin the key down. Raises StatementError."""
    windowed = source.window is not None
    keys = {c.name: c for c in source.schema.key}
    listed = ", ".join(f"`{c.name}` {c.type} KEY" for c in source.schema.key)
    for part in parts:
        seen: list[str] = []
        for test in and_parts(part.expr):
            name = _compared(test, windowed)
            if name not in keys:
                continue
            if isinstance(test, N.Comparison) and test.op in _INEXACT:
                raise refusal(f"Bound on key columns '[{listed}]' must currently be '='", windowed=windowed)
            if name in seen:
                raise refusal(
                    "A comparison condition on the key column cannot be combined with other comparisons such as "
                    "an IN predicate",
                    windowed=windowed,
                )
            seen.append(name)
        if not seen:
            shown = print_expression(part.expr, quote=False)
            raise refusal(f"WHERE clause missing key column for disjunct: {shown}", windowed=windowed)
        if len(seen) != len(keys):
            names = ", ".join(f"`{n}`" for n in keys if n in seen)
            raise refusal(
                "Multi-column sources must specify every key in the WHERE clause. "
                f"Specified: [{names}] Expected: [{listed}]",
                windowed=windowed,
            )
    keyed = all(p.keys is not None for p in parts)
    text_range = len(parts) == 1 and len(keys) == 1 and source.schema.key[0].type == T.STRING
    if not keyed and not (ranges and text_range and not windowed):
        raise StatementError(
            "Query requires table scan to be enabled. Table scans can be enabled by setting "
            "ksql.query.pull.table.scan.enabled=true"
        )


def _compared(test: N.Expression, windowed: bool) -> str:
    """The column a test is on; '' for LIKE on a column."""
    if isinstance(test, N.Like):
        if not isinstance(test.operand, N.ColumnRef):
            raise refusal("Like condition must be between strings")
        return ""
    if not isinstance(test, N.Comparison):
        raise refusal(f"Unsupported expression in WHERE clause: {print_expression(test, quote=False)}")
    sides = (test.left, test.right)
    column = next((s for s in sides if isinstance(s, N.ColumnRef)), None)
    if column is None:
        raise refusal("A comparison must directly reference a key column", windowed=windowed)
    other = test.right if column is test.left else test.left
    if trees.columns_of(other):
        raise refusal(
            "A comparison must be between a key column and a resolvable expression", windowed=windowed
        )
    return column.name


def and_parts(expr: N.Expression) -> Iterator[N.Expression]:
    """The tests of a conjunction, in order."""
    if isinstance(expr, N.Logical) and expr.op == "AND":
        yield from and_parts(expr.left)
        yield from and_parts(expr.right)
    else:
        yield expr
