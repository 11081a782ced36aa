"""What a pull query's WHERE says about keys and windows.

The condition is brought to a disjunction of conjunctions; each conjunction gives key values, a key range, or neither,
and bounds of windows. These only narrow down which rows are looked at: the whole condition is tested on every row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis import trees

_FLIP: Final = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_MAX_DISJUNCTS: Final = 10_000
LOWEST: Final = -(2**63)
HIGHEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Bounds:
    """An inclusive range of milliseconds."""

    low: int = LOWEST
    high: int = HIGHEST

    def narrowed(self, op: str, value: int) -> Bounds:
        """With one more comparison."""
        match op:
            case "=":
                return Bounds(max(self.low, value), min(self.high, value))
            case "<":
                return replace(self, high=min(self.high, value - 1))
            case "<=":
                return replace(self, high=min(self.high, value))
            case ">":
                return replace(self, low=max(self.low, value + 1))
            case _:
                return replace(self, low=max(self.low, value))

    def joined(self, other: Bounds) -> Bounds:
        """The smallest range that covers both."""
        return Bounds(min(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True, slots=True)
class Conjunct:
    """What one conjunction says. `keys`: expressions for all key columns, in order; `text`: for messages."""

    expr: N.Expression
    keys: tuple[N.Expression, ...] | None
    seen: frozenset[str]  # key columns compared with something that has no columns
    ranges: tuple[tuple[str, N.Expression], ...]  # comparisons on a single key column
    starts: tuple[tuple[str, N.Expression], ...]
    ends: tuple[tuple[str, N.Expression], ...]


def conjuncts(where: N.Expression, keys: Sequence[str]) -> list[Conjunct] | None:
    """The condition's conjunctions; None when there would be too many to be worth it."""
    found: list[Conjunct] = []
    for expr in _disjuncts(_expanded(where)):
        if len(found) >= _MAX_DISJUNCTS:
            return None
        found.append(_conjunct(expr, tuple(keys)))
    return found


def _conjunct(expr: N.Expression, keys: tuple[str, ...]) -> Conjunct:
    equal: dict[str, N.Expression] = {}
    seen: set[str] = set()
    ranges: list[tuple[str, N.Expression]] = []
    starts: list[tuple[str, N.Expression]] = []
    ends: list[tuple[str, N.Expression]] = []
    for part in _and_parts(expr):
        compared = _comparison(part)
        if compared is None:
            continue
        name, op, value = compared
        if name == "WINDOWSTART":
            starts.append((op, value))
        elif name == "WINDOWEND":
            ends.append((op, value))
        elif name in keys:
            seen.add(name)
            ranges.append((op, value))
            if op == "=":
                equal.setdefault(name, value)
    found = tuple(equal[k] for k in keys) if keys and all(k in equal for k in keys) else None
    return Conjunct(expr, found, frozenset(seen), tuple(ranges), tuple(starts), tuple(ends))


def _comparison(part: N.Expression) -> tuple[str, str, N.Expression] | None:
    """(column, operator, value without columns), whichever side the column is on."""
    if not isinstance(part, N.Comparison) or part.op not in _FLIP:
        return None
    for column, value, op in (
        (part.left, part.right, part.op),
        (part.right, part.left, _FLIP[part.op]),
    ):
        if isinstance(column, N.ColumnRef) and not trees.columns_of(value):
            return column.name, op, value
    return None


def _expanded(expr: N.Expression) -> N.Expression:
    """IN as equalities, BETWEEN as two comparisons."""

    def visit(node: N.Expression) -> N.Expression | None:
        if isinstance(node, N.InList):
            tests = [N.Comparison("=", _expanded(node.operand), _expanded(i)) for i in node.items]
            joined: N.Expression = tests[0]
            for test in tests[1:]:
                joined = N.Logical("OR", joined, test)
            return joined
        if isinstance(node, N.Between):
            operand = _expanded(node.operand)
            low = N.Comparison(">=", operand, _expanded(node.low))
            return N.Logical("AND", low, N.Comparison("<=", operand, _expanded(node.high)))
        return None

    return trees.rewrite(expr, visit)


def _disjuncts(expr: N.Expression) -> Iterator[N.Expression]:
    if isinstance(expr, N.Logical) and expr.op == "OR":
        yield from _disjuncts(expr.left)
        yield from _disjuncts(expr.right)
    elif isinstance(expr, N.Logical):
        for left in _disjuncts(expr.left):
            for right in _disjuncts(expr.right):
                yield expr if (left, right) == (expr.left, expr.right) else N.Logical("AND", left, right)
    else:
        yield expr


def _and_parts(expr: N.Expression) -> Iterator[N.Expression]:
    if isinstance(expr, N.Logical) and expr.op == "AND":
        yield from _and_parts(expr.left)
        yield from _and_parts(expr.right)
    else:
        yield expr
