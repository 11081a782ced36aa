"""The file that `make bench` writes, and that each workload's query does what its name says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import ALL, main, save, surroundings
from benchmarks.engine import WORKLOADS, Workload, run
from benchmarks.result import Result

pytestmark = pytest.mark.checkout
FIELDS = ["name", "value", "unit", "peer", "peer_value", "ratio"]


def test_the_file_is_a_list_and_keeps_what_was_not_measured_anew(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    about = surroundings((0.5, 0.4, 0.3))
    save([Result("a", 100, "rows/s", "peer", 40), Result("b", 2, "s")], about, path)
    save([Result("a", 120, "rows/s", "peer", 40)], about, path)
    entries = json.loads(path.read_text())
    assert [list(e) for e in entries[:2]] == [FIELDS, FIELDS]
    assert {e["name"]: (e["value"], e["ratio"]) for e in entries[:2]} == {"a": (120, 3.0), "b": (2, None)}
    rest = {e["name"]: e["value"] for e in entries[2:]}
    assert list(rest) == ["machine", "load", "versions"]
    assert rest["load"]["before"] == [0.5, 0.4, 0.3]
    assert rest["machine"]["cores"] >= 1


def test_unknown_names_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no such thing"]) == 2
    assert ALL[0].name in capsys.readouterr().out


@pytest.mark.parametrize("workload", WORKLOADS, ids=[w.name for w in WORKLOADS])
def test_each_workload_runs(workload: Workload) -> None:
    wall, busy = run(replace(workload, rows=200))
    assert wall.value > 0 < busy.value
    assert wall.peer_value == workload.peer
