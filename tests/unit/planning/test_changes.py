"""Changes of a project, one by one, against a server that runs the one before: the plan says what is true, applying it
does that, a second plan has nothing to do, and the tables hold what they would hold had it always been so."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from ksqlkit.client.embedded import EmbeddedClient
from ksqlkit.errors import UserError
from ksqlkit.plan.apply import apply, check
from ksqlkit.plan.run import make_plan
from ksqlkit.plan.stages import Action, Stage
from ksqlkit.project.config import load_config
from ksqlkit.project.loader import Loader

EARLIEST = {"auto.offset.reset": "earliest"}
BASE = """CREATE TYPE ADDRESS AS STRUCT<CITY STRING>;
CREATE STREAM ORDERS (ID STRING KEY, CUSTOMER STRING, AMOUNT DOUBLE, HOME ADDRESS)
  WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE STREAM BIG AS SELECT ID, CUSTOMER, AMOUNT FROM {{ ref('ORDERS') }} WHERE AMOUNT > 100;
CREATE TABLE TOTALS AS SELECT CUSTOMER, COUNT(*) AS N, SUM(AMOUNT) AS S FROM {{ ref('BIG') }} GROUP BY CUSTOMER;
CREATE TABLE HOURLY AS SELECT CUSTOMER, COUNT(*) AS N FROM {{ ref('ORDERS') }}
  WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY CUSTOMER;
CREATE STREAM KEPT (ID STRING KEY, CUSTOMER STRING) WITH (KAFKA_TOPIC='kept', VALUE_FORMAT='JSON', PARTITIONS=1);
INSERT INTO KEPT SELECT ID, CUSTOMER FROM {{ ref('BIG') }};
"""
ROWS = [{"ID": "1", "CUSTOMER": "ann", "AMOUNT": 200.0}, {"ID": "2", "CUSTOMER": "bob", "AMOUNT": 50.0}]
INSERT = "INSERT INTO KEPT (models.sql:9)"
ALL = {"ORDERS", "BIG", "TOTALS", "HOURLY", INSERT}


class Server:
    """An engine in memory that runs BASE over ROWS."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "ksqlkit.toml").write_text("[project]\nname = 'p'\n")
        (folder / "sql").mkdir()
        self.client = EmbeddedClient.open(":memory:")
        self.apply(BASE)
        self.client.insert("ORDERS", ROWS)

    def plan(self, sql: str) -> tuple[list[Stage], list[str], Loader]:
        """Stages that change something, notes, and the loader."""
        (self.folder / "sql/models.sql").write_text(sql)
        loader = Loader(load_config(self.folder))
        stages, notes = make_plan(loader, self.client)
        return stages, notes, loader

    def changes(self, sql: str) -> dict[str, Stage]:
        """What the plan would change."""
        return {s.model.name: s for s in self.plan(sql)[0] if s.action is not Action.UNCHANGED}

    def apply(self, sql: str, *, replace: bool = True) -> None:
        """Apply a project; a second plan must have nothing to do."""
        stages, _, loader = self.plan(sql)
        check(stages, allow_replace=replace)
        apply(stages, self.client, loader, properties=EARLIEST)
        assert not self.changes(sql)

    def rows(self, sql: str) -> list[list[object]]:
        """A query's rows."""
        return self.client.query(sql, properties=EARLIEST).rows


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def swap(old: str, new: str) -> str:
    """BASE with a part replaced."""
    assert old in BASE
    return BASE.replace(old, new)


# a change -> what is recreated, what is replaced in place, what is new
CHANGES: dict[str, tuple[str, set[str], set[str], set[str]]] = {
    "add a column to an input": (swap("HOME ADDRESS)", "HOME ADDRESS, NOTE STRING)"), set(), {"ORDERS"}, set()),
    "change a filter": (swap("AMOUNT > 100", "AMOUNT > 10"), set(), {"BIG"}, set()),
    "add a column to what others read": (
        swap("ID, CUSTOMER, AMOUNT FROM", "ID, CUSTOMER, AMOUNT, HOME FROM"),
        set(),
        {"BIG"},
        set(),
    ),
    "rename a table": (swap("TABLE TOTALS", "TABLE SUMS"), set(), set(), {"SUMS"}),
    "add a query": (BASE + "CREATE STREAM MORE AS SELECT ID, CUSTOMER FROM ORDERS;", set(), set(), {"MORE"}),
    "a window": (swap("SIZE 1 HOUR", "SIZE 30 MINUTES"), {"HOURLY"}, set(), set()),
    "an aggregate": (swap("SUM(AMOUNT)", "MAX(AMOUNT)"), {"TOTALS"}, set(), set()),
    "a grouping": (swap("GROUP BY CUSTOMER;\nCREATE TABLE HOURLY", "GROUP BY CUSTOMER HAVING COUNT(*) > 0;\n"
                        "CREATE TABLE HOURLY"), {"TOTALS"}, set(), set()),
    "a column's type": (swap("AMOUNT DOUBLE", "AMOUNT DECIMAL(10, 2)"), ALL, set(), set()),
    "the key's type": (
        BASE.replace("ID STRING KEY", "ID BIGINT KEY"),
        ALL | {"KEPT"},
        set(),
        set(),
    ),
    "a computed column": (swap("ID, CUSTOMER, AMOUNT FROM", "ID, UCASE(CUSTOMER) AS CUSTOMER, AMOUNT FROM"),
                          {"BIG", "TOTALS", INSERT}, set(), set()),
    "a sink's format": (swap("STREAM BIG AS", "STREAM BIG WITH (VALUE_FORMAT='AVRO') AS"),
                        {"BIG", "TOTALS", INSERT}, set(), set()),
    "a sink's partitions": (swap("TABLE HOURLY AS", "TABLE HOURLY WITH (PARTITIONS=2) AS"), {"HOURLY"}, set(), set()),
    "an INSERT": (swap("ID, CUSTOMER FROM {{ ref('BIG') }};", "ID, CUSTOMER FROM {{ ref('BIG') }} WHERE ID <> 'x';"),
                  {INSERT}, set(), set()),
    "a type": (swap("STRUCT<CITY STRING>", "STRUCT<CITY STRING, ZIP STRING>"), ALL | {"ADDRESS"}, set(), set()),
    "an input's topic": (swap("KAFKA_TOPIC='orders'", "KAFKA_TOPIC='orders2'"), ALL, set(), set()),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_told_and_done(server: Server, name: str) -> None:
    sql, recreated, replaced, created = CHANGES[name]
    changes = server.changes(sql)
    found = {action: {n for n, s in changes.items() if s.action is action} for action in Action}
    assert (found[Action.RECREATE], found[Action.REPLACE], found[Action.CREATE]) == (
        recreated,
        replaced,
        created,
    )
    assert not found[Action.REJECTED]
    assert all(stage.reason for stage in changes.values() if stage.action is not Action.CREATE)
    if recreated or replaced:
        with pytest.raises(UserError, match="would need"):
            server.apply(sql, replace=False)
    server.apply(sql)


def test_what_is_recreated_holds_each_row_once(server: Server) -> None:
    assert server.rows("SELECT * FROM TOTALS;") == [["ann", 1, 200.0]]
    server.apply(swap("AMOUNT DOUBLE", "AMOUNT DECIMAL(10, 2)"))
    assert server.rows("SELECT * FROM TOTALS;") == [["ann", 1, 200.0]]
    assert len(server.rows("SELECT * FROM BIG;")) == 1
    assert len(server.rows("SELECT * FROM ORDERS;")) == 2  # an input's records are nobody's to delete


def test_partitions_of_a_topic_that_is_there_are_refused_before_anything_is_dropped(server: Server) -> None:
    sql = swap("KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=1", "KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', "
               "PARTITIONS=3")  # fmt: skip
    with pytest.raises(UserError, match="topic orders has 1 partitions, not 3"):
        server.apply(sql)
    assert not server.changes(BASE)


def test_an_insert_that_changed_does_not_run_twice(server: Server) -> None:
    server.apply(CHANGES["an INSERT"][0])
    running = [q["queryString"] for q in server.client.execute("LIST QUERIES;")[0]["queries"]]
    assert sum(text.startswith("INSERT") for text in running) == 1


def test_a_property_that_is_no_longer_named_is_a_change(server: Server) -> None:
    server.apply(CHANGES["a sink's format"][0])
    assert "VALUE_FORMAT" in server.changes(BASE)["BIG"].reason


def test_drift_by_hand_is_mended(server: Server) -> None:
    queries = {q["sinks"][0]: q["id"] for q in server.client.execute("LIST QUERIES;")[0]["queries"]}
    server.client.execute(f"TERMINATE {queries['HOURLY']};")
    server.client.execute("DROP TABLE TOTALS;")
    server.client.execute(
        "CREATE OR REPLACE STREAM BIG AS SELECT ID, CUSTOMER, AMOUNT FROM ORDERS WHERE AMOUNT > 7;"
    )
    changes = server.changes(BASE)
    assert {n: s.action for n, s in changes.items()} == {
        "BIG": Action.REPLACE,
        "TOTALS": Action.CREATE,
        "HOURLY": Action.RECREATE,
    }
    assert "terminated" in changes["HOURLY"].reason
    assert "topic TOTALS is there already" in changes["TOTALS"].reason
    server.apply(BASE)
    server.client.insert("ORDERS", ROWS)
    assert len(server.rows("SELECT * FROM HOURLY;")) == 2


def test_what_the_project_does_not_have_is_told_and_left(server: Server) -> None:
    server.apply(swap("TABLE TOTALS", "TABLE SUMS"))
    queries = {q["sinks"][0]: q["id"] for q in server.client.execute("LIST QUERIES;")[0]["queries"]}
    server.client.execute(f"PAUSE {queries['BIG']}; INSERT INTO KEPT SELECT ID, CUSTOMER FROM ORDERS;")
    notes = server.plan(swap("TABLE TOTALS", "TABLE SUMS"))[1]
    assert notes[0].startswith("on the server and not in the project:")
    assert "TABLE TOTALS" in notes[0]
    assert any("is PAUSED" in n for n in notes)
    assert any("writes to KEPT and is not in the project" in n for n in notes)


@pytest.mark.parametrize(
    ("by_hand", "said"),
    [
        ("CREATE STREAM MINE AS SELECT * FROM BIG;", "it is read by MINE"),
        (
            "CREATE STREAM MINE (CUSTOMER STRING) WITH (KAFKA_TOPIC='BIG', VALUE_FORMAT='JSON');",
            "topic BIG is read by MINE",
        ),
        (
            "INSERT INTO KEPT SELECT ID, UCASE(CUSTOMER) AS CUSTOMER FROM BIG PARTITION BY ID;",
            "used by the query",
        ),
    ],
)
def test_what_others_read_is_not_dropped(server: Server, by_hand: str, said: str) -> None:
    server.client.execute(by_hand)
    with pytest.raises(UserError, match=said):
        server.apply(CHANGES["a computed column"][0])
    assert not server.changes(BASE)


def test_another_kind_of_that_name_is_rejected(server: Server) -> None:
    server.client.execute(
        "CREATE STREAM LATE (A INT) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON', PARTITIONS=1);"
    )
    stage = server.changes(BASE + "CREATE TABLE LATE AS SELECT ID, COUNT(*) AS N FROM ORDERS GROUP BY ID;")[
        "LATE"
    ]
    assert stage.action is Action.REJECTED
    assert "DROP STREAM LATE" in stage.reason


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.slow
@pytest.mark.parametrize("step", range(14))
def test_an_apply_that_is_killed_goes_on_from_there(
    server: Server, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = CHANGES["a column's type"][0]
    stages, _, loader = server.plan(sql)
    execute, left = server.client.execute, step

    def dying(text: str, **options: object) -> list[dict[str, object]]:
        nonlocal left
        if not text.startswith("LIST"):
            if left == 0:
                raise Killed
            left -= 1
        return execute(text, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(server.client, "execute", dying)
    with contextlib.suppress(Killed):
        apply(stages, server.client, loader, properties=EARLIEST)
    monkeypatch.setattr(server.client, "execute", execute)
    server.apply(sql)
    assert server.rows("SELECT * FROM TOTALS;") == [["ann", 1, 200.0]]
