from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from ksqlkit.cli.main import app

chance = random.Random(1)
LABELS: dict[str, Callable[[], object]] = {
    "onetwo": lambda: chance.choice([1, 2]),
    "words": lambda: chance.choice(["yes", "no"]),
    "one": lambda: 1,
    "gaps": lambda: chance.choice(["", 1, 0]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a file for each kind of labels, and some that are worse."""
    made = tmp_path_factory.mktemp("project")
    (made / "ksqlkit.toml").write_text("[project]\nname = 'p'\n")
    for name, label in LABELS.items():
        lines = "".join(f"{chance.gauss(0, 1):.3f},{label()}\n" for _ in range(120))
        (made / f"{name}.csv").write_text("X,Y\n" + lines)
    (made / "few.csv").write_text("X,Y\n1,0\n2,1\n")
    (made / "late.csv").write_text("X,Y\n" + "1,0\n" * 90 + "1,1\n" * 10)
    (made / "huge.csv").write_text("X,Y\n" + "1,0\n2,1\n" * 60 + "-1e300,0\n")
    (made / "empty.csv").write_text("X,Y\n")
    (made / "bytes.csv").write_bytes(b"\xff\xfe\x00" * 50)
    (made / "lists.jsonl").write_text("".join(f'{{"X": [1, 2], "Y": {i % 2}}}\n' for i in range(60)))
    (made / "labels.jsonl").write_text("".join(f'{{"X": {i}, "Y": {{"a": 1}}}}\n' for i in range(60)))
    cards = "".join(f"1,2,9.5,{'soon' if i == 7 else i},{i % 2}\n" for i in range(60))
    (made / "cards.csv").write_text("CUSTOMER_ID,TERMINAL_ID,AMOUNT,TX_TIME,Y\n" + cards)
    return made


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["train", *words], env={"COLUMNS": "200"})
    return done.exit_code, done.stdout, done.stderr


LABEL = ["--label", "Y"]
REFUSED = [
    ("m", "onetwo.csv", LABEL, "not 1, 2", "--task classes"),
    ("m", "onetwo.csv", [*LABEL, "--task", "binary"], "not 1, 2", "--task classes"),
    ("m", "words.csv", [*LABEL, "--task", "binary"], "not no, yes", "--task classes"),
    ("m", "words.csv", [*LABEL, "--task", "regression"], "are numbers, not no, yes", "--task classes"),
    ("m", "words.csv", [*LABEL, "--task", "magic"], "no magic", "binary, classes, regression"),
    ("m", "words.csv", [*LABEL, "--algorithm", "magic"], "no magic", "xgboost"),
    ("m", "one.csv", LABEL, "all 120 rows have the same label, 1", "both kinds"),
    ("m", "one.csv", [*LABEL, "--text", "X"], "1 classes", "two classes"),
    ("m", "gaps.csv", LABEL, "has no label", "out"),
    ("m", "gaps.csv", [*LABEL, "--text", "X"], "has no label", "out"),
    ("m", "few.csv", LABEL, "2 rows are too few", "40"),
    ("m", "late.csv", LABEL, "first 70 % of the rows lack a class", "more"),
    ("m", "huge.csv", LABEL, "the column X has -1e+300 in row 121", "logarithm"),
    ("m", "huge.csv", ["--label", "X"], "the column of labels has -1e+300 in row 121", "logarithm"),
    ("m", "empty.csv", LABEL, "no rows", ""),
    ("m", "bytes.csv", LABEL, "not UTF-8", ""),
    ("m", "nofile.csv", LABEL, "no file nofile.csv", ".parquet"),
    ("m", "lists.jsonl", LABEL, "column X has", "numbers or words"),
    ("m", "labels.jsonl", LABEL, "column of labels has", "numbers or words"),
    ("m", "words.csv", ["--label", "NOPE"], "no column NOPE", "X, Y"),
    ("m", "words.csv", [], "what shall be learned", "--label"),
    ("m", "words.csv", [*LABEL, "--features", "Y"], "Y is the label", ""),
    ("m", "words.csv", [*LABEL, "--features", "Z"], "no column Z", ""),
    ("m", "words.csv", [*LABEL, "--drop", "Z"], "no column Z", "X, Y"),
    ("m", "words.csv", [*LABEL, "--drop", "Y"], "Y cannot be left out and be used too", ""),
    ("m", "words.csv", [*LABEL, "--drop", "X"], "no column but Y", ""),
    ("m", "words.csv", [*LABEL, "--formula", "X*Q"], "names Q", ""),
    ("m", "words.csv", ["--series", "X"], "column Y has", "numbers"),
    ("m", "words.csv", ["--user", "X", "--item", "Y", "--weight", "Y"], "column Y has", "numbers"),
    ("fraud", "cards.csv", LABEL, "column TX_TIME has 'soon' in row 8", "numbers"),
    ("threat", "words.csv", LABEL, "kind 'normal'", ""),
    ("../../evil", "words.csv", LABEL, "'../../evil' is no model name", "letters"),
    ("/tmp/evil", "words.csv", LABEL, "no model name", "letters"),
    ("a" * 65, "words.csv", LABEL, "no model name", "64"),
    (".", "words.csv", LABEL, "no model name", "letters"),
]


@pytest.mark.parametrize(("name", "file", "words", "said", "hint"), REFUSED)
def test_what_cannot_be_learned_is_said_in_two_lines(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    file: str,
    words: list[str],
    said: str,
    hint: str,
) -> None:
    monkeypatch.chdir(folder)
    code, out, err = run(name, "--from", file, *words)
    assert (code, out) == (1, "")
    assert said in err
    assert hint in err
    assert "fault of ksqlkit" not in err
    assert "Traceback" not in err
    assert not (folder / "models").exists()
    assert not (folder.parent / "evil").exists()


@pytest.mark.slow
def test_words_are_classes_and_so_are_numbers_on_request(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("words.csv", "onetwo.csv", "ksqlkit.toml"):
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    monkeypatch.chdir(tmp_path)
    assert run("m", "--from", "words.csv", *LABEL)[0] == 0
    code, out, _ = run("m", "--from", "onetwo.csv", *LABEL, "--task", "classes", "--json")
    assert code == 0
    assert set(orjson.loads(out)["metrics"]) == {"accuracy", "macro_f1"}
    for version, classes in ((1, ["no", "yes"]), (2, ["1", "2"])):
        metadata = orjson.loads((tmp_path / "models" / "m" / str(version) / "metadata.json").read_bytes())
        assert metadata["classes"] == classes


def test_what_is_likely_wrong_is_said_and_can_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ksqlkit.toml").write_text("[project]\nname = 'p'\n")
    lines = "".join(f"{at},{x:.3f},{'late' if x > 0 else 'no'},{int(x > 0)}\n" for at, x in enumerate(
        chance.gauss(0, 1) for _ in range(800)
    ))  # fmt: skip
    (tmp_path / "rows.csv").write_text("ID,X,REFUND [x],Y\n" + lines)
    asked = ["m", "--from", "rows.csv", *LABEL, "--algorithm", "linear"]
    code, out, err = run(*asked, "--json", "--drop", "X")
    found = orjson.loads(out)["warnings"]
    assert (code, {w["column"]: w["kind"] for w in found}) == (0, {"ID": "identifier", "REFUND [X]": "leak"})
    assert found[1]["evidence"]["auc"] == 1.0
    assert "warning: REFUND [X] alone tells Y: AUC 1.0000 on the last 240 rows. If" in err
    assert "leave it out: --drop 'REFUND [X]'" in err
    code, out, err = run(*asked, "--drop", "id,refund [x]", "--json")
    assert code == 0
    metadata = orjson.loads((tmp_path / "models" / "m" / "2" / "metadata.json").read_bytes())
    assert metadata["features"] == ["X"]
    assert {w["column"] for w in orjson.loads(out)["warnings"]} == {"X"}, "X > 0 is the label itself"
