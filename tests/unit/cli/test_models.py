from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from ksqlkit.cli.main import app
from tests.support.models import linear_model
from udf_server.models.store import ModelStore


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    (tmp_path / "ksqlkit.toml").write_text('[project]\nname = "p"\n')
    monkeypatch.chdir(tmp_path)
    made = ModelStore(tmp_path / "models")
    linear_model(made, "fraud", [1.0])
    linear_model(made, "fraud", [-1.0], promote=False)
    return made


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["models", *words], env={"COLUMNS": "200"})
    return done.exit_code, done.stdout, done.stderr


def test_a_version_is_tried_by_shadow_then_canary_then_promoted_and_taken_back(store: ModelStore) -> None:
    assert run("shadow", "fraud", "2")[0] == 0
    assert store.aliases("fraud") == {"live": 1, "shadow": 2}
    code, out, _ = run("canary", "fraud", "2", "--share", "0.05", "--json")
    assert (code, orjson.loads(out)) == (
        0,
        {"model": "fraud", "aliases": {"live": 1, "shadow": 2, "canary": 2}, "share": 0.05},
    )
    listed = orjson.loads(run("list", "--json")[1])
    assert [(m["version"], m["roles"]) for m in listed] == [(1, ["live"]), (2, ["shadow", "canary 0.05"])]
    assert "2 shadow canary 0.05" in run("list")[1]
    assert orjson.loads(run("promote", "fraud", "2", "--json")[1])["aliases"] == {"live": 2, "previous": 1}
    assert orjson.loads(run("rollback", "fraud", "--json")[1])["aliases"] == {"live": 1, "previous": 2}


def test_both_can_be_ended(store: ModelStore) -> None:
    store.set_canary("fraud", 2, 0.5)
    store.set_shadow("fraud", 2)
    assert run("canary", "fraud", "--off")[0] == run("shadow", "fraud", "--off")[0] == 0
    assert store.aliases("fraud") == {"live": 1}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["canary", "fraud", "2", "--share", "1.5"], "between 0 and 1"),
        (["canary", "fraud", "7"], "no version 7"),
        (["canary", "fraud", "1"], "is the live one"),
        (["shadow", "fraud", "1"], "is the live one"),
        (["shadow", "fraud"], "--off"),
        (["canary", "fraud", "2", "--off"], "--off"),
        (["shadow", "nobody", "--off"], "no model"),
        (["promote", "../../evil", "1"], "is no model name"),
        (["rollback", "fraud"], "no previous version"),
        (["list", "../fraud"], "is no model name"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(store: ModelStore, words: list[str], message: str) -> None:
    code, out, err = run(*words)
    assert (code, out) == (1, "")
    assert message in err
    assert "Traceback" not in err
    assert "fault of ksqlkit" not in err
    assert store.aliases("fraud") == {"live": 1}


@pytest.mark.slow
def test_an_import_says_what_came_in_and_what_the_file_does_not_name(
    store: ModelStore, tmp_path: Path
) -> None:
    import numpy as np
    import xgboost

    x = np.random.default_rng(1).normal(size=(60, 2))
    data = xgboost.DMatrix(x, np.arange(60) % 3)
    xgboost.train({"objective": "multi:softprob", "num_class": 3, "nthread": 1}, data, 2).save_model("m.json")
    code, out, err = run("import", "m.json", "--name", "mine", "--stage")
    assert (code, out) == (0, "")
    assert "mine version 1 (xgboost, 2 features), not live yet" in err
    assert "its task is classes, its classes 0, 1, 2" in err
    assert "by --features A,B,C" in err
    assert "by --classes A,B,C" in err
    named = ["--features", "a,b", "--classes", "x,y,z"]
    code, out, err = run("import", "m.json", "--name", "mine", *named, "--json")
    found = orjson.loads(out)
    assert (found["version"], found["features"], found["classes"]) == (2, ["A", "B"], ["x", "y", "z"])
    assert (code, err, found["live"]) == (0, "", True)
    for words, said in (
        (["nofile.onnx", "--name", "m"], "cannot read nofile.onnx"),
        (["m.json", "--name", "m", "--classes", "x,y"], "has 3 classes, not 2"),
        (["m.json", "--name", "m", "--task", "magic"], "no task magic"),
        (["m.json", "--name", "../m"], "no model name"),
    ):
        code, out, err = run("import", *words)
        assert (code, out) == (1, "")
        assert said in err
        assert "Traceback" not in err
