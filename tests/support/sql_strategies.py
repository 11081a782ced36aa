"""Hypothesis strategies that grow ksqlDB statements as trees, rule by rule."""

from __future__ import annotations

import decimal

from hypothesis import strategies as st

from ksqlkit.dialect import nodes as n
from ksqlkit.dialect import types as t
from ksqlkit.dialect.words import KEYWORDS

PLAIN = st.sampled_from(
    ["A", "B", "ID", "lower", "Mixed case", "É`", "1A", "1E5", "12", "SELECT", "EMIT", "X_1"]
)
NAMES = PLAIN | st.sampled_from(sorted(KEYWORDS))
SOURCES = st.sampled_from(["S", "T", "ORDERS", "lower", "a-b", "FROM", "TABLES", "EMIT", "PARTITION"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
UNITS = st.sampled_from(list(n.MILLIS))
DURATIONS = st.builds(n.Duration, st.integers(0, 10**6), UNITS)

TYPES: st.SearchStrategy[t.SqlType] = st.recursive(
    st.sampled_from(
        [*dict.fromkeys(t.NAMES.values()), t.Decimal(4, 2), t.Named("ADDRESS"), t.Named("my type")]
    ),
    lambda inner: (
        st.builds(t.Array, inner)
        | st.builds(t.Map, inner, inner)
        | st.lists(st.tuples(NAMES, inner), max_size=3, unique_by=lambda f: f[0]).map(
            lambda f: t.Struct(tuple(f))
        )
    ),
    max_leaves=5,
)

LITERALS: st.SearchStrategy[n.Expression] = st.one_of(
    st.just(n.NullLiteral()),
    st.builds(n.BooleanLiteral, st.booleans()),
    st.builds(n.IntegerLiteral, st.integers(-(2**31), 2**31 - 1)),
    st.builds(n.LongLiteral, st.integers(2**31, 2**63 - 1) | st.integers(-(2**63), -(2**31) - 1)),
    st.builds(
        n.DecimalLiteral,
        st.tuples(st.booleans(), st.integers(0, 10**12), st.integers(0, 15)).map(
            lambda x: decimal.Decimal((int(x[0]), tuple(map(int, str(x[1]))), -x[2]))
        ),
    ),
    st.builds(n.DoubleLiteral, st.floats(allow_nan=False, allow_infinity=False)),
    st.builds(n.StringLiteral, TEXTS),
)


def _many(
    items: st.SearchStrategy[n.Expression], low: int = 0
) -> st.SearchStrategy[tuple[n.Expression, ...]]:
    return st.lists(items, min_size=low, max_size=3).map(tuple)


def _whens(e: st.SearchStrategy[n.Expression]) -> st.SearchStrategy[tuple[n.When, ...]]:
    return st.lists(st.builds(n.When, e, e), min_size=1, max_size=2).map(tuple)


def _grow(e: st.SearchStrategy[n.Expression]) -> st.SearchStrategy[n.Expression]:
    ops = st.sampled_from(["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM"])
    body = st.builds(n.Arithmetic, st.just("+"), st.just(n.LambdaVariable("X")), e.filter(_without_x))
    calls = st.builds(
        n.FunctionCall,
        st.sampled_from(["ABS", "COUNT", "REPLACE", "CONCAT", "MAP", "STRUCT"]),
        _many(e, 1) | st.tuples(e, st.builds(n.Lambda, st.just(("X",)), body)),
    )
    return st.one_of(
        st.builds(n.Arithmetic, st.sampled_from(["+", "-", "*", "/", "%"]), e, e),
        st.builds(n.Comparison, ops, e, e),
        st.builds(n.Logical, st.sampled_from(["AND", "OR"]), e, e),
        st.builds(n.Signed, st.sampled_from(["+", "-"]), e),
        st.builds(n.Not, e),
        st.builds(n.IsNull, e),
        st.builds(n.IsNotNull, e),
        st.builds(n.Between, e, e, e),
        st.builds(n.InList, e, _many(e, 1)),
        st.builds(n.Like, e, e, st.none() | st.sampled_from(["!", "'", "\\"])),
        st.builds(n.SearchedCase, _whens(e), st.none() | e),
        st.builds(n.SimpleCase, e, _whens(e), st.none() | e),
        st.builds(n.Cast, e, TYPES),
        st.builds(n.Subscript, e, e),
        st.builds(n.Dereference, e, NAMES),
        st.builds(n.ArrayConstructor, _many(e)),
        st.builds(n.MapConstructor, st.lists(st.tuples(e, e), max_size=2).map(tuple)),
        st.builds(n.StructConstructor, st.lists(st.tuples(NAMES, e), max_size=2).map(tuple)),
        calls,
        st.just(n.FunctionCall("COUNT", ())),
    )


def _without_x(node: n.Expression) -> bool:
    """A column X inside a lambda over X would be the lambda's own."""
    return "X" not in repr(node)


EXPRESSIONS: st.SearchStrategy[n.Expression] = st.recursive(
    LITERALS | st.builds(n.ColumnRef, NAMES), _grow, max_leaves=8
)

WINDOWS: st.SearchStrategy[n.Window] = st.one_of(
    st.builds(n.TumblingWindow, DURATIONS, retention=st.none() | DURATIONS, grace=st.none() | DURATIONS),
    st.builds(
        n.HoppingWindow, DURATIONS, DURATIONS, retention=st.none() | DURATIONS, grace=st.none() | DURATIONS
    ),
    st.builds(n.SessionWindow, DURATIONS, retention=st.none() | DURATIONS, grace=st.none() | DURATIONS),
)
_SOURCE = st.builds(n.Source, SOURCES, SOURCES)
_WITHIN = st.builds(n.Within, DURATIONS, DURATIONS, st.none() | DURATIONS)
_JOIN_TYPES = st.sampled_from(["INNER", "LEFT", "RIGHT", "FULL"])
RELATIONS: st.SearchStrategy[n.Source | n.Join] = st.recursive(
    _SOURCE,
    lambda left: st.builds(n.Join, _JOIN_TYPES, left, _SOURCE, EXPRESSIONS, st.none() | _WITHIN),
    max_leaves=3,
)
_ITEMS = st.one_of(
    st.just(n.SelectAll()),
    st.builds(n.SelectColumn, EXPRESSIONS, st.none() | NAMES),
    st.builds(n.SelectStructAll, st.builds(n.ColumnRef, NAMES)),
)


def queries(*, persistent: bool) -> st.SearchStrategy[n.Query]:
    """SELECTs; those of persistent queries always emit and have no limit."""
    emit = st.sampled_from(["CHANGES", "FINAL"])
    keys = st.lists(EXPRESSIONS, max_size=2).map(tuple)
    return st.builds(
        n.Query,
        st.lists(_ITEMS, min_size=1, max_size=3).map(tuple),
        RELATIONS,
        st.none() | WINDOWS,
        st.none() | EXPRESSIONS,
        keys,
        keys,
        st.none() | EXPRESSIONS,
        emit if persistent else st.none() | emit,
        st.none() if persistent else st.none() | st.integers(0, 2**31 - 1),
    )


_KINDS = st.sampled_from(["STREAM", "TABLE"])
_PROPERTIES = st.dictionaries(
    st.sampled_from(["KAFKA_TOPIC", "A B", "select".upper()]), LITERALS, max_size=3
).map(lambda d: tuple(sorted(d.items())))
_COLUMNS = st.lists(
    st.builds(n.ColumnDef, NAMES, TYPES, st.sampled_from([None, "KEY", "PRIMARY KEY"])),
    max_size=3,
    unique_by=lambda c: c.name,
).map(tuple)

STATEMENTS: st.SearchStrategy[n.Statement] = st.one_of(
    st.builds(n.QueryStatement, queries(persistent=False)),
    st.builds(
        n.CreateSource, _KINDS, SOURCES, _COLUMNS, _PROPERTIES, st.booleans(), st.booleans(), st.booleans()
    ),
    st.builds(
        n.CreateAsSelect, _KINDS, SOURCES, queries(persistent=True), _PROPERTIES, st.booleans(), st.booleans()
    ),
    st.builds(n.InsertInto, SOURCES, queries(persistent=True), _PROPERTIES),
    st.builds(n.InsertValues, SOURCES, st.just(()), _many(EXPRESSIONS)),
    st.builds(n.Drop, _KINDS, SOURCES, st.booleans(), st.booleans()),
    st.builds(n.CreateType, NAMES, TYPES, st.booleans()),
    st.builds(n.DescribeSource, SOURCES, st.booleans()),
    st.builds(n.Explain, NAMES),
    st.builds(n.Print, TEXTS, st.booleans(), st.none() | st.integers(0, 9), st.none() | st.integers(0, 9)),
    st.builds(n.SetProperty, TEXTS, TEXTS),
    st.builds(n.AssertTopic, TEXTS, _PROPERTIES, st.none() | DURATIONS, st.booleans()),
)
