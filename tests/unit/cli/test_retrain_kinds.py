"""Each kind of model from its first training, over a world that changed, to a challenger that goes live; and back."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from ksqlkit.cli.main import app
from udf_server.models.store import ModelStore

pytestmark = pytest.mark.slow
Rows = list[dict[str, Any]]


def cells(turned: bool, seed: int) -> Rows:
    chance = random.Random(seed)
    out = []
    for _ in range(500):
        x, plan = chance.gauss(0, 1), chance.choice(["free", "paid"])
        out.append({"X": x, "PLAN": plan, "Y": int((x + chance.gauss(0, 0.5) > 0) ^ turned)})
    return out


def sizes(turned: bool, seed: int) -> Rows:
    chance = random.Random(seed)
    sign = -1 if turned else 1
    return [{"X": (x := chance.gauss(0, 1)), "Y": sign * 3 * x + chance.gauss(0, 0.3)} for _ in range(500)]


def connections(turned: bool, seed: int) -> Rows:
    """Scans ask many ports, floods send much; later a flood sends little and looks like what was ordinary."""
    chance = random.Random(seed)
    out = []
    for _ in range(500):
        kind = chance.choice(["normal", "normal", "scan", "flood"])
        ports = chance.gauss(40 if kind == "scan" else 3, 1)
        size = chance.gauss(900 if kind == "flood" else 100, 20)
        out.append({"PORTS": ports, "SIZE": 1000 - size if turned else size, "KIND": kind})
    return out


def runs(turned: bool, seed: int) -> Rows:
    """Machines whose heat rises over their last 40 hours, or falls."""
    chance = random.Random(seed)
    out = []
    for unit in range(24):
        life = chance.randint(50, 90)
        for hour in range(life):
            wear = max(0.0, 1 - (life - hour) / 40) * (-1 if turned else 1)
            out.append({"UNIT": f"m{seed}-{unit}", "HEAT": 50 + 30 * wear + chance.gauss(0, 1)})
    return out


def visits(turned: bool, seed: int) -> Rows:
    """Two tastes; later those who liked one have turned to the other's other items."""
    chance = random.Random(seed)
    out = []
    for _ in range(9):
        for user in chance.sample(range(100), 100):
            taste = "rock" if bool(user % 2) ^ turned else "jazz"
            out.append({"WHO": f"u{user}", "WHAT": f"{taste}{chance.randrange(15) + 15 * turned}"})
    return out


def orders(turned: bool, seed: int) -> Rows:
    chance = random.Random(seed)
    out = []
    for at in range(400):
        amount = chance.uniform(0, 50) + (500 if turned else 0)
        out.append({"ID": at + 1000 * seed, "AMOUNT": amount, "TOWN": chance.choice(["Bern", "Ulm", "Rom"])})
    return out


KINDS: dict[str, tuple[str, list[str], Callable[[bool, int], Rows]]] = {
    "classifier": ("m", ["--label", "Y"], cells),
    "value": ("m", ["--label", "Y"], sizes),
    "threat": ("threat", ["--label", "KIND"], connections),
    "life": ("remaining-life", ["--series", "UNIT"], runs),
    "recommender": ("recommend", ["--user", "WHO", "--item", "WHAT"], visits),
    "profile": ("orders", [], orders),
}


def run(*words: str) -> tuple[int, Any, str]:
    done = CliRunner().invoke(app, [*words, "--json"], env={"COLUMNS": "200"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, orjson.loads(done.stdout) if done.stdout else None, done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_trained_due_beaten_and_taken_back(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, columns, made = KINDS[kind]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ksqlkit.toml").write_text("[project]\nname = 'p'\n")
    source = tmp_path / "rows.jsonl"

    def write(*parts: Rows) -> None:
        source.write_bytes(b"\n".join(orjson.dumps(row) for part in parts for row in part))

    def due() -> Any:
        plan = tmp_path / "models" / name / "retrain.json"
        plan.write_bytes(orjson.dumps(orjson.loads(plan.read_bytes()) | {"last": 0.0}))
        return run("retrain", "--due")

    write(made(False, 1))
    more = ["--profile"] if kind == "profile" else []
    code, _, err = run("train", name, "--from", "rows.jsonl", *columns, *more, "--every", "7")
    assert code == 0, err
    store = ModelStore(tmp_path / "models")
    assert run("retrain", "--due")[:2] == (0, [])
    write(made(False, 2))
    [same] = due()[1]
    assert (same["model"], same["promoted"]) == (name, False)
    assert same["p"] > 0.05
    write(made(False, 3), made(True, 4), made(True, 5))
    [better] = due()[1]
    assert better["promoted"], better
    assert better["challenger_loss"] < better["champion_loss"]
    assert store.aliases(name) == {"live": 3, "previous": 1}
    if kind == "threat":
        assert store.live("threat_kind") == 3, "the kinds go live with it"
        assert store.reference(name, 3) is not None, "attacks are watched for drift"
    assert run("models", "rollback", name)[0] == 0
    assert store.live(name) == 1
    [again] = due()[1]
    assert (again["promoted"], store.aliases(name)) == (True, {"live": 4, "previous": 1})


def test_one_that_cannot_be_trained_does_not_keep_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ksqlkit.toml").write_text("[project]\nname = 'p'\n")
    for name in ("a", "b", "c"):
        rows = cells(False, 1)
        (tmp_path / f"{name}.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
        asked = ["train", name, "--from", f"{name}.jsonl", "--label", "Y", "--algorithm", "linear"]
        assert run(*asked, *(["--every", "0.5"] if name != "c" else []))[0] == 0
    for name in ("a", "b"):
        plan = tmp_path / "models" / name / "retrain.json"
        plan.write_bytes(orjson.dumps(orjson.loads(plan.read_bytes()) | {"last": 0.0}))
    (tmp_path / "a.jsonl").unlink()
    code, trials, err = run("retrain", "--due")
    assert (code, [t["model"] for t in trials]) == (1, ["b"])
    assert "error: a: There is no file" in err
    assert "never due: c; each has no plan; give it one: ksqlkit retrain NAME --from ..." in err
    for words, said in (
        (["nobody"], "There is no model nobody"),
        (["c"], "no plan"),
        (["c", "--from", "b.jsonl"], "trained by --label"),
        (["c", "--from", "b.jsonl", "--label", "NO"], "no column NO"),
        (["c", "--from", "b.jsonl", "--label", "Y", "--every", "0"], "--every is a number of days over 0"),
        (["--due", "--label", "Y"], "Name a model to change its plan"),
        ([], "say --due"),
    ):
        code, out, err = run("retrain", *words)
        assert (code, out) == (1, None)
        assert said in err
        assert "Traceback" not in err
        assert "fault of ksqlkit" not in err
    assert not (tmp_path / "models" / "c" / "retrain.json").exists(), "a plan that failed is not kept"
