"""Which sources a query reads, and what a column name means there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis import trees
from ksqlkit.engine.analysis.naming import SYNTHETIC_KEY, joined
from ksqlkit.engine.analysis.text import fail, listed, place, show
from ksqlkit.engine.catalog import Catalog, DataSource
from ksqlkit.engine.schema import PSEUDO, WINDOW_BOUNDS
from ksqlkit.errors import StatementError

PARSING = "Failed to prepare statement: "


@dataclass(frozen=True, slots=True)
class AliasedSource:
    """A source under the name the query gives it."""

    alias: str
    source: DataSource

    def has(self, name: str) -> bool:
        """Whether the name is a column, a pseudo column, or a window bound of a windowed source."""
        if name in PSEUDO or self.source.schema.find(name) is not None:
            return True
        return self.source.window is not None and name in WINDOW_BOUNDS

    def star(self) -> tuple[str, ...]:
        """The columns `*` stands for: keys, window bounds, values, headers."""
        bounds = tuple(WINDOW_BOUNDS) if self.source.window else ()
        schema = self.source.schema
        return (*(c.name for c in schema.key), *bounds, *(c.name for c in schema.headers_last))


@dataclass(frozen=True, slots=True)
class Scope:
    """The sources of a query, in the order of the FROM clause."""

    sources: tuple[AliasedSource, ...]

    @property
    def is_join(self) -> bool:
        """Whether there are several sources."""
        return len(self.sources) > 1

    def named(self, alias: str) -> AliasedSource | None:
        """The source of that alias."""
        return next((s for s in self.sources if s.alias == alias), None)

    def owners(self, name: str) -> list[str]:
        """Aliases of the sources that have such a column."""
        return [s.alias for s in self.sources if s.has(name)]

    def clashes(self, name: str) -> bool:
        """Whether several sources declare the column; pseudo columns always clash in joins."""
        if not self.is_join:
            return False
        return name in PSEUDO or sum(s.source.schema.find(name) is not None for s in self.sources) > 1

    def qualify(self, expr: N.Expression) -> N.Expression:
        """Give every column reference its source's alias; names that no source has stay as they are.

        Raises StatementError for ambiguous names, unknown qualifiers and lambda parameters that hide a column.
        """
        self._check_lambdas(expr, frozenset())
        return trees.rewrite(expr, self._qualify)

    def _qualify(self, expr: N.Expression) -> N.Expression | None:
        if not isinstance(expr, N.ColumnRef):
            return None
        if expr.source is not None:
            if self.named(expr.source) is None:
                raise unknown_alias(expr.source, expr)
            return expr
        owners = self.owners(expr.name)
        if len(owners) > 1:
            options = sorted(show(N.ColumnRef(expr.name, alias)) for alias in owners)
            raise fail(
                f"{place(expr)}Column '{show(expr)}' is ambiguous. Could be {listed(options, 'or')}.",
                expr,
                hint=f"write {options[0]}",
            )
        return N.ColumnRef(expr.name, owners[0], span=expr.span) if owners else expr

    def _check_lambdas(self, expr: N.Expression, outer: frozenset[str]) -> None:
        if isinstance(expr, N.Lambda):
            for name in expr.params:
                if any(s.source.schema.find(name) for s in self.sources):
                    raise fail(f"Lambda function argument can't be a column name: {name}", expr)
            if outer & set(expr.params):
                raise fail("Reusing lambda arguments in nested lambda is not allowed", expr)
            outer = outer | set(expr.params)
        for child in trees.children(expr):
            self._check_lambdas(child, outer)

    def check(
        self, expr: N.Expression, clause: str, *, bounds: bool = False, synthetic: bool = False
    ) -> set[str]:
        """Raise for columns of a qualified expression that do not exist; answer the aliases it refers to.

        `bounds`: WINDOWSTART and WINDOWEND exist although the source has none (windowed GROUP BY). `synthetic`: the
        name of a generated join key passes, it is checked once the join is planned.
        """
        used: set[str] = set()
        for ref in trees.columns_of(expr):
            if ref.source is not None:
                owner = self.named(ref.source)
                if owner is None or not (owner.has(ref.name) or (bounds and ref.name in WINDOW_BOUNDS)):
                    raise unknown_column(ref, clause, self._similar(ref))
                used.add(ref.source)
            elif bounds and not self.is_join and ref.name in WINDOW_BOUNDS:
                used.add(self.sources[0].alias)
            elif not (
                synthetic and self.is_join and clause == "SELECT" and ref.name.startswith(SYNTHETIC_KEY)
            ):
                raise unknown_column(ref, clause, self._similar(ref))
        return used

    def _similar(self, ref: N.ColumnRef) -> str | None:
        """A hint that names the columns spelled most like an unknown one."""
        near = [s for s in self.sources if ref.source in (None, s.alias)]
        known = {name.upper(): show(N.ColumnRef(name)) for s in near for name in s.star()}
        close = get_close_matches(ref.name.upper(), known, n=3)
        return f"did you mean {listed([known[c] for c in close], 'or')}?" if close else None

    def internal(self, expr: N.Expression) -> N.Expression:
        """The expression over the names that the plan's steps use: `ALIAS_NAME` in joins, `NAME` otherwise."""

        def visit(e: N.Expression) -> N.Expression | None:
            if isinstance(e, N.ColumnRef) and e.source is not None:
                name = joined(e.source, e.name) if self.is_join else e.name
                return N.ColumnRef(name, span=e.span)
            return None

        return trees.rewrite(expr, visit)


def unknown_alias(alias: str, node: N.Node) -> StatementError:
    """The error for `alias.column` or `alias.*` where no source has that alias."""
    return fail(f"{PARSING}'{alias}' is not a valid stream/table name or alias.", node)


def unknown_column(ref: N.ColumnRef, clause: str, hint: str | None = None) -> StatementError:
    """The error for a column that does not exist; clause is "SELECT", "WHERE", ... or empty."""
    subject = f"{clause} column" if clause else "Column"
    reason = "cannot be resolved."
    if clause == "PARTITION BY":
        reason += f" '{show(ref)}' must be a column in the source schema since PARTITION BY is applied on the input."
    return fail(f"{place(ref)}{subject} '{show(ref)}' {reason}", ref, hint=hint)


def from_sources(node: N.Source | N.Join) -> Iterator[N.Source]:
    """The sources of a FROM clause, left first."""
    if isinstance(node, N.Join):
        yield from from_sources(node.left)
        yield node.right
    else:
        yield node


def scope_of(query: N.Query, catalog: Catalog) -> Scope:
    """The sources the query names. Raises StatementError for unknown sources."""
    found: list[AliasedSource] = []
    for node in from_sources(query.source):
        source = catalog.get(node.name)
        if source is None:
            raise fail(f"{node.name} does not exist.", node, hint=_similar(node.name, catalog))
        found.append(AliasedSource(node.alias, source))
    return Scope(tuple(found))


def _similar(name: str, catalog: Catalog) -> str | None:
    close = [s.name for s in catalog if s.name.upper() == name.upper()]
    return f"did you mean {listed([f'`{n}`' for n in close], 'or')}?" if close else None
