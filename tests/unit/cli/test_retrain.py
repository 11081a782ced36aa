from __future__ import annotations

import random
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from ksqlkit.cli.main import app

pytestmark = pytest.mark.slow


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    return done.exit_code, done.stdout


def test_a_plan_is_kept_carried_out_and_due_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ksqlkit.toml").write_text('[project]\nname = "p"\n')
    monkeypatch.chdir(tmp_path)
    chance = random.Random(1)
    rows = [(x := chance.gauss(0, 1), int(x + chance.gauss(0, 1) > 0)) for _ in range(400)]
    for name, turned in (("old.csv", 0), ("new.csv", 1)):
        lines = [f"{x:.4f},{y ^ turned}" for x, y in rows]
        (tmp_path / name).write_text("\n".join(["X,Y", *lines]) + "\n")
    assert run("train", "m", "--from", "old.csv", "--label", "Y", "--algorithm", "linear")[0] == 0
    assert run("retrain", "m") == (1, "")  # no plan yet
    assert run("retrain")[0] == 1
    code, text = run("retrain", "m", "--from", "new.csv", "--label", "Y", "--every", "3", "--json")
    assert code == 0
    [trial] = orjson.loads(text)
    assert trial["promoted"]
    assert (trial["champion"], trial["challenger"]) == (1, 2)
    assert orjson.loads(run("retrain", "--due", "--json")[1]) == []
    plan = tmp_path / "models" / "m" / "retrain.json"
    held = orjson.loads(plan.read_bytes())
    assert held["source"] == str(tmp_path / "new.csv")
    plan.write_bytes(orjson.dumps({**held, "last": 0.0}))
    monkeypatch.chdir("/")
    [again] = orjson.loads(run("retrain", "--due", "--json", "--project", str(tmp_path))[1])
    assert not again["promoted"]
    aliases = orjson.loads((tmp_path / "models" / "m" / "aliases.json").read_bytes())
    assert aliases == {"live": 2, "previous": 1}
