"""What plans hold beyond their description: keys of joins, formats, windows, columns for a client."""

from __future__ import annotations

from typing import TypeVar

import pytest

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.analysis.trees import columns_of
from ksqlkit.engine.catalog import Format, WindowInfo
from ksqlkit.engine.plan import steps as S
from tests.support.planning import SOURCES, blocks, new_context, run

PLANS = blocks("plans.txt")
Found = TypeVar("Found", bound=S.Step)


def plan_of(sql: str) -> S.QueryPlan:
    ctx = new_context()
    run(ctx, SOURCES)
    plan = run(ctx, sql)
    assert plan is not None
    return plan


def step_of(plan: S.QueryPlan, kind: type[Found]) -> Found:
    return next(s for s in plan.root.walk() if isinstance(s, kind))


def uses(step: S.Step) -> set[str]:
    """The input columns a step's expressions name."""
    match step:
        case S.Filter(predicate=e):
            exprs: tuple[N.Expression, ...] = (e,)
        case S.Project(key=k, value=v):
            exprs = (*k, *v)
        case S.SelectKey(key=k):
            exprs = k
        case S.GroupBy(by=b):
            exprs = b
        case S.Aggregate(calls=calls):
            exprs = tuple(a for c in calls for a in c.args)
        case S.FlatMap(calls=f):
            exprs = tuple(f)
        case S.ForeignKeyJoin(foreign_key=e):
            exprs = (e,)
        case _:
            exprs = ()
    return {c.name for c in columns_of(*exprs)}


@pytest.mark.parametrize("title", PLANS)
def test_every_step_finds_its_columns_and_names_are_unique(title: str) -> None:
    for step in plan_of(PLANS[title][0]).root.walk():
        names = [c.name for c in step.schema.columns]
        assert len(names) == len(set(names))
        below = {c.name for s in step.inputs for c in s.schema.columns}
        if step.inputs:
            assert uses(step) <= below
        if isinstance(step, S.SourceStep):
            assert len(step.origins) == len(names)
        if isinstance(step, S.StreamStreamJoin | S.StreamTableJoin | S.TableTableJoin | S.ForeignKeyJoin):
            assert {c.name for c in step.schema.value} <= below


@pytest.mark.parametrize(
    ("join", "key", "selected"),
    [
        ("JOIN", "R_VID", "r.vid"),  # both sides are there, so either column is the key
        ("LEFT JOIN", "L_ID", "l.id, r.vid"),
        ("LEFT JOIN", "KSQL_JOIN_KEY_R_VID", "r.vid"),
        ("RIGHT JOIN", "KSQL_JOIN_KEY_L_ID", "l.id, r.vid"),
        ("RIGHT JOIN", "R_VID", "r.vid"),
        ("FULL JOIN", "ROWKEY", "ROWKEY"),
    ],
)
def test_the_join_key_is_a_column_only_where_that_is_never_null(join: str, key: str, selected: str) -> None:
    sql = f"CREATE STREAM o AS SELECT {selected}, l.page FROM clicks l {join} views r WITHIN 1 HOUR ON l.id = r.vid;"
    found = step_of(plan_of(sql), S.StreamStreamJoin)
    assert [c.name for c in found.schema.key] == [key]


def test_within_and_grace() -> None:
    within = "WITHIN (1 MINUTE, 2 SECONDS) GRACE PERIOD 3 SECONDS"
    sql = f"SELECT * FROM clicks l JOIN views r {within} ON l.id = r.vid EMIT CHANGES;"
    found = step_of(plan_of(sql), S.StreamStreamJoin)
    assert (found.before, found.after, found.grace) == (60_000, 2_000, 3_000)


def test_join_inputs_that_are_keyed_anew_take_the_format_of_the_other() -> None:
    sql = """CREATE TABLE k (i INT PRIMARY KEY, x INT) WITH (KAFKA_TOPIC='k', FORMAT='JSON', PARTITIONS=2);
             CREATE STREAM o AS SELECT v.id, x FROM views v JOIN k ON v.id = k.i;"""
    found = step_of(plan_of(sql), S.SelectKey)
    assert found.key_format == Format("JSON")
    assert found.drop_null


def test_a_windowed_table() -> None:
    plan = plan_of(
        "CREATE TABLE o AS SELECT id, COUNT(*) AS n FROM clicks WINDOW HOPPING (SIZE 2 MINUTES, ADVANCE BY 1 MINUTE) "
        "GROUP BY id EMIT FINAL;"
    )
    assert plan.window == WindowInfo("HOPPING", 120_000)
    found = step_of(plan, S.Aggregate)
    assert found.final
    assert found.window is not None
    assert found.window.grace == N.Duration(0, "MILLISECONDS")
    assert not found.input.rekey


def test_constants_of_aggregates_are_taken_apart() -> None:
    found = step_of(plan_of("SELECT id, TOPK(ms, 3) FROM clicks GROUP BY id EMIT CHANGES;"), S.Aggregate)
    assert found.calls == (
        S.AggregateCall("KSQL_AGG_VARIABLE_0", "TOPK", (N.ColumnRef("MS"),), (3,), (T.BIGINT,)),
    )


def test_columns_for_a_client_stand_in_the_order_they_are_selected() -> None:
    plan = plan_of("SELECT page, id, page AS again FROM clicks EMIT CHANGES LIMIT 5;")
    assert (plan.columns, plan.limit, plan.sink) == (("PAGE", "ID", "AGAIN"), 5, None)
    assert [c.name for c in plan.schema.key] == ["ID"]


def test_a_client_sees_null_for_the_missing_side_though_the_key_is_not() -> None:
    plan = plan_of("SELECT r.vid FROM clicks l LEFT JOIN views r WITHIN 1 HOUR ON l.id = r.vid EMIT CHANGES;")
    assert isinstance(plan.root, S.Project)
    assert plan.root.value == (N.ColumnRef("R_VID"),)


@pytest.mark.parametrize(
    ("sql", "key", "value", "partitions", "topic"),
    [
        ("CREATE STREAM o AS SELECT * FROM clicks;", "KAFKA", "JSON", 2, "O"),
        (
            "CREATE STREAM o WITH (FORMAT='JSON', PARTITIONS=5) AS SELECT * FROM clicks;",
            "JSON",
            "JSON",
            5,
            "O",
        ),
        ("CREATE STREAM o WITH (KAFKA_TOPIC='t') AS SELECT * FROM raw;", "NONE", "DELIMITED", 2, "t"),
        ("CREATE STREAM o AS SELECT * FROM raw PARTITION BY line;", "KAFKA", "DELIMITED", 2, "O"),
        ("CREATE STREAM o AS SELECT * FROM clicks PARTITION BY NULL;", "NONE", "JSON", 2, "O"),
    ],
)
def test_sinks_inherit(sql: str, key: str, value: str, partitions: int, topic: str) -> None:
    plan = plan_of(sql)
    assert plan.sink is not None
    found = plan.sink
    assert (found.key_format.name, found.value_format.name, found.partitions, found.topic) == (
        key,
        value,
        partitions,
        topic,
    )


def test_pruning_keeps_only_what_is_used() -> None:
    plan = plan_of("CREATE STREAM o AS SELECT id, page FROM clicks WHERE ms > 3;")
    assert step_of(plan, S.SourceStep).origins == ("ID", "PAGE", "MS")
