"""Where queries come from, and that the two lanes of the macro give the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.errors import KsqlkitError, ProjectError
from ksqlkit.processor.spec import Spec, find, read_file
from tests.support.processor_parts import Running, Server, entry
from tests.support.projects import EARLIEST, write_project

DETAIL = (
    "STRUCT<VALUE DOUBLE, STATUS VARCHAR, MODEL VARCHAR, VERSION INTEGER, SCORED_AT TIMESTAMP, REASON VARCHAR,"
    " ATTRIBUTIONS MAP<VARCHAR, DOUBLE>>"
)
SOURCE = """CREATE STREAM RAW (K STRING KEY, X DOUBLE, NOTE STRING)
  WITH (KAFKA_TOPIC='raw', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE STREAM CLEAN WITH (KAFKA_TOPIC='in') AS SELECT K, X * 2 AS X, UCASE(NOTE) AS NOTE FROM RAW;
"""
CALL = """{{ scored('T', ref('CLEAN'), 'ROOT', ['ABS(X)'], key='K',
  columns={'X': 'DOUBLE', 'NOTE': 'STRING'}, lane='LANE') }}"""


def detailed(x: float) -> dict[str, Any]:
    good = x < 100
    return {
        "VALUE": x**0.5 if good else None,
        "STATUS": "OK" if good else "INVALID_INPUT",
        "MODEL": None,
        "VERSION": 1,
        "SCORED_AT": 5,
        "REASON": None if good else "too large",
        "ATTRIBUTIONS": None,
    }


class Inline:
    def call(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        return [detailed(*row) for row in rows]


ROOT_DETAIL = entry("ROOT_DETAIL", returns=DETAIL, detail_of="ROOT")


def spec_of(folder: Path, lane: str, name: str = "T") -> Spec:
    files = {"sql/a.sql": SOURCE, "sql/b.sql": CALL.replace("LANE", lane)}
    return find(write_project(folder, files), [name])[0]


def test_both_lanes_give_the_same_rows(tmp_path: Path) -> None:
    for lane in ("inline", "processor"):
        (tmp_path / lane).mkdir()
    rows = [{"X": x, "NOTE": "n"} for x in (2.0, -8.0, 60.0, 0.0)]

    registry = Registry()
    registry.register_remote("ROOT_DETAIL", [dict(o) for o in ROOT_DETAIL.overloads], Inline())
    engine = Engine(functions=registry)
    files = {"sql/a.sql": SOURCE, "sql/b.sql": CALL.replace("LANE", "inline")}
    for model in write_project(tmp_path / "inline", files).load().models:
        engine.execute(model.sql, properties=EARLIEST)
    for row in rows:
        engine.produce("raw", b"k", orjson.dumps(row), timestamp=7)
    engine.run_until_idle()

    running = Running(spec_of(tmp_path / "processor", "processor"), Server(detailed), [ROOT_DETAIL])
    batch = running.task.run(engine.read("in"))
    assert [tuple(o)[2:5] for o in batch.outputs] == [(r.timestamp, r.key, r.value) for r in engine.read("T")]
    assert [f.code for f in batch.failures] == ["INVALID_INPUT"]
    assert len(orjson.loads(batch.outputs[0].value or b"")) == 5


def test_the_processors_lane_declares_streams_and_no_query(tmp_path: Path) -> None:
    files = {"sql/a.sql": SOURCE, "sql/b.sql": CALL.replace("LANE", "processor")}
    project = write_project(tmp_path, files).load()
    assert [m.name for m in project.models if m.derived] == ["CLEAN"]
    assert {"T", "T_DEAD"} <= set(project.by_name())
    engine = Engine()
    for model in project.models:
        engine.execute(model.sql)


def test_a_stream_that_ksqldb_computes_is_no_processors(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="ksqlDB itself") as raised:
        spec_of(tmp_path, "inline")
    assert "lane='processor'" in (raised.value.hint or "")


def test_a_name_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no processor 'TT'") as raised:
        spec_of(tmp_path, "processor", "TT")
    assert "'T'" in (raised.value.hint or "")


def test_a_lane_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(KsqlkitError, match="lane_must_be_inline_or_processor"):
        spec_of(tmp_path, "processr")


def test_a_declared_type_that_the_query_does_not_give(tmp_path: Path) -> None:
    files = {
        "sql/a.sql": SOURCE,
        "sql/b.sql": CALL.replace("'X': 'DOUBLE'", "'X': 'STRING'").replace("LANE", "processor"),
    }
    (spec,) = find(write_project(tmp_path, files), ["T"])
    with pytest.raises(ProjectError, match="declared with the columns"):
        Running(spec, Server(detailed), [ROOT_DETAIL])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no statement"),
        ("CREATE STREAM S (A INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');", "AS SELECT"),
        ("CREATE STRAM S;", "STRAM"),
    ],
)
def test_files_that_hold_no_query(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "q.sql"
    path.write_text(text)
    with pytest.raises(KsqlkitError, match=words) as raised:
        read_file(path)
    assert "q.sql" in str(raised.value.location)


def test_a_comment_that_holds_no_query(tmp_path: Path) -> None:
    loader = write_project(tmp_path, {"sql/a.sql": SOURCE + "/* ksqlkit process SELECT FROM nothing */"})
    with pytest.raises(ProjectError, match="holds no query") as raised:
        find(loader, ["T"])
    assert "a.sql:4" in str(raised.value.location)
