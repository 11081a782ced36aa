"""Whatever the query: it is refused with a message, or its plan holds together."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ksqlkit.engine.analysis.trees import columns_of
from ksqlkit.engine.context import Context
from ksqlkit.engine.plan import steps as S
from ksqlkit.engine.plan.describe import describe_plan, format_topology
from ksqlkit.errors import KsqlkitError
from tests.support.planning import SOURCES, new_context, run

CLICKS = ("c.id", "c.page", "c.ms", "c.tags", "c.loc->city")
VIEWS = ("v.vid", "v.page", "v.id")
USERS = ("u.id", "u.name", "u.boss")
JOINS = ("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
RELATIONS = [
    ("clicks c", CLICKS),
    ("users u", USERS),
    ("hourly c", ("c.id", "c.n", "WINDOWSTART")),
    *((f"clicks c {j} views v WITHIN 1 HOUR ON c.id = v.vid", CLICKS + VIEWS) for j in JOINS),
    *((f"clicks c {j} views v WITHIN 1 HOUR ON c.id + 1 = v.id", ("ROWKEY", *CLICKS)) for j in JOINS),
    *((f"clicks c {j} users u ON c.id = u.id", CLICKS + USERS) for j in JOINS[:3]),
    *((f"users u {j} teams t ON u.boss = t.tid", (*USERS, "t.title")) for j in JOINS[:3]),
    *(
        (
            f"views v {i} clicks c WITHIN 1 HOUR ON v.id = c.id {j} users u ON v.id = u.id",
            CLICKS + VIEWS + USERS,
        )
        for i in JOINS
        for j in JOINS[:3]
    ),
]
OTHERS = ("1", "'x'", "NULL", "COUNT(*)", "EXPLODE(ARRAY[1, 2])", "nope")
FUNCTIONS = ("SUM", "MAX", "UCASE", "LEN", "AS_VALUE", "COLLECT_LIST")


def expressions(columns: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Expressions over the columns, few of them wrong."""
    plain = st.sampled_from(columns)
    return st.recursive(
        st.one_of(plain, plain, plain, st.sampled_from(OTHERS)),
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from("+="), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
            st.tuples(st.sampled_from(FUNCTIONS), inner).map(lambda t: f"{t[0]}({t[1]})"),
            inner.map(lambda e: f"CASE WHEN {e} IS NULL THEN 1 ELSE 2 END"),
        ),
        max_leaves=3,
    )


@st.composite
def queries(draw: st.DrawFn) -> str:
    """A query whose grouping expressions are usually selected."""
    relation, columns = draw(st.sampled_from(RELATIONS))
    expr = expressions(columns)
    plain = st.sampled_from(columns)
    group = draw(st.one_of(st.just([]), st.lists(st.one_of(plain, expr), max_size=2, unique=True)))
    selected = list(group) + (
        ["COUNT(*)"] if group else draw(st.lists(st.sampled_from(("*", columns[0])), max_size=1))
    )
    selected += [f"{e} AS x{i}" for i, e in enumerate(draw(st.lists(expr, max_size=2)))]
    text = f"SELECT {', '.join(selected or ['*'])} FROM {relation}"
    window = bool(group) and draw(st.booleans())
    text += " WINDOW TUMBLING (SIZE 1 MINUTE)" if window else ""
    text += draw(
        st.one_of(
            st.just(""), plain.map(lambda c: f" WHERE {c} IS NOT NULL"), expr.map(lambda e: f" WHERE {e}")
        )
    )
    if group:
        text += f" GROUP BY {', '.join(group)}"
        text += draw(st.sampled_from(("", " HAVING COUNT(*) > 1", f" HAVING {group[0]} IS NULL")))
    else:
        text += draw(st.one_of(st.just(""), st.just(""), expr.map(lambda e: f" PARTITION BY {e}")))
    return f"{text} EMIT {'FINAL' if window and draw(st.booleans()) else 'CHANGES'};"


targets = st.sampled_from(("", "", "CREATE STREAM o AS ", "CREATE TABLE o AS ", "INSERT INTO views "))


def _context() -> Context:
    ctx = new_context()
    run(ctx, SOURCES)
    return ctx


BASE = _context()


@settings(max_examples=40, deadline=None)
@given(queries(), targets)
def test_a_query_is_refused_or_its_plan_is_sound(query: str, target: str) -> None:
    try:
        plan = run(BASE.fork(), target + query)
    except KsqlkitError:
        return
    assert plan is not None
    assert describe_plan(plan)
    assert format_topology(plan)
    for step in plan.root.walk():
        names = [c.name for c in step.schema.columns]
        assert len(names) == len(set(names))
        below = {c.name for s in step.inputs for c in s.schema.columns}
        match step:
            case S.Project(key=key, value=value):
                assert {c.name for c in columns_of(*key, *value)} <= below
            case S.Filter(predicate=predicate):
                assert {c.name for c in columns_of(predicate)} <= below
            case S.Aggregate(calls=calls, carried=carried):
                assert {c.name for call in calls for c in columns_of(*call.args)} | set(carried) <= below
            case S.SelectKey() | S.GroupBy():
                exprs = step.key if isinstance(step, S.SelectKey) else step.by
                assert {c.name for c in columns_of(*exprs)} <= below
    if plan.sink is None:
        assert set(plan.columns) <= {c.name for c in plan.schema.columns}
