"""Commands tell the truth: exit codes, places, hints, JSON, and never a traceback."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.command import BIN, dev, run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NOBODY = "http://127.0.0.1:9"
STREAM = "CREATE STREAM S (A INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);\n"


def project(folder: Path, sql: str) -> Path:
    (folder / "ksqlkit.toml").write_text("[project]\nname = 'p'\n")
    (folder / "sql").mkdir(exist_ok=True)
    (folder / "sql/models.sql").write_text(sql)
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nonsense"], 2, "No such command"),
        (["load"], 2, "Missing argument"),
        (["sql", "-e", "SHOW STREAMS;", "--server", NOBODY], 3, "No ksqlDB answers"),
        (
            ["sql", "-e", "SHOW STREAMS;", "--server", "localhost:8088"],
            1,
            "Did you mean http://localhost:8088?",
        ),
        (["dev", "--host", "1.2.3.4", "--port", "0"], 1, "--host 1.2.3.4: cannot listen there"),
        (["dev", "--data", "ksqlkit.toml"], 1, "ksqlkit.toml cannot be made: File exists"),
        (["load", "x.csv", "--topic", " "], 1, "--topic is empty"),
        (["test"], 1, "The project has no tests"),
        (["functions", "--scoring", NOBODY], 3, "No scoring server answers"),
        (["forecast", "refresh", "nothing"], 1, "no forecast 'nothing'"),
        (["render", "--project", "nowhere"], 1, "There is no"),
        (["load", "nothing.csv", "--topic", "t", "--server", NOBODY], 3, "No ksqlDB answers"),
        (["train", "m", "--from", "nothing.csv", "--label", "y"], 1, "no file nothing.csv"),
        (["datagen", "messages", "--rows", "-1"], 2, "greater than or equal"),
    ],
)
def test_exit_codes(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    done = run(*arguments, folder=project(tmp_path, STREAM))
    assert done.returncode == code, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_an_error_shows_the_template_with_a_caret(tmp_path: Path) -> None:
    done = run(
        "render", folder=project(tmp_path, STREAM + "CREATE STREAM T AS\n  SELECT A FORM {{ ref('S') }};")
    )
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert "models.sql:3:" in lines[0]
    at = next(i for i, line in enumerate(lines) if "SELECT A FORM" in line)
    assert lines[at + 1].strip() == "^"


def test_a_refused_model_changes_nothing_and_points_at_its_place(tmp_path: Path) -> None:
    with dev(project(tmp_path, STREAM)) as servers:
        project(tmp_path, STREAM + "CREATE STREAM T AS SELECT NOPE FROM {{ ref('S') }};\n")
        done = run("apply", "--server", servers.ksql, "--scoring", servers.scoring, folder=tmp_path)
        assert done.returncode == 1
        assert "models.sql:2:" in done.stderr
        assert "'NOPE' cannot be resolved" in done.stderr
        listed = run("sql", "-e", "SHOW STREAMS;", "--json", "--server", servers.ksql)
        assert [s["name"] for s in json.loads(listed.stdout)["streams"] if s["name"] in "ST"] == ["S"]


def test_apply_twice_changes_nothing_and_a_change_is_told(tmp_path: Path) -> None:
    table = "CREATE TABLE N AS SELECT A, COUNT(*) AS N FROM {{ ref('S') }} GROUP BY A;\n"
    with dev(project(tmp_path, STREAM + table)) as servers:
        options = ["--server", servers.ksql, "--scoring", servers.scoring, "--json"]
        again = run("apply", *options, folder=tmp_path)
        assert {s["action"] for s in json.loads(again.stdout)} == {"unchanged"}
        project(tmp_path, STREAM + table.replace("COUNT(*)", "SUM(A)"))
        changed = run("apply", *options, folder=tmp_path)
        assert changed.returncode == 1
        assert "drop and create" in changed.stderr
        done = run("apply", "--replace", *options, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        last = run("apply", *options, folder=tmp_path)
        assert {s["action"] for s in json.loads(last.stdout)} == {"unchanged"}


def test_a_script_of_render_runs_as_it_is(tmp_path: Path) -> None:
    folder = project(tmp_path, STREAM + "CREATE STREAM T AS SELECT A FROM {{ ref('S') }};\n")
    assert run("render", "--out", "out", folder=folder).returncode == 0
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/sql").mkdir()
    (tmp_path / "empty/ksqlkit.toml").write_text("[project]\nname = 'e'\n")
    with dev(tmp_path / "empty") as servers:
        done = run("sql", "-e", "RUN SCRIPT 'out/all.sql';", "--server", servers.ksql, folder=folder)
        assert done.returncode == 0, done.stderr
        listed = run("sql", "-e", "SHOW STREAMS;", "--server", servers.ksql)
        assert "T" in listed.stdout


def test_a_sql_file_with_an_error_names_file_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "script.sql"
    path.write_text("SHOW STREAMS;\n\nSELECT FROM;\n")
    with dev(project(tmp_path, STREAM)) as servers:
        done = run("sql", "-f", str(path), "--server", servers.ksql)
    assert done.returncode == 1
    assert "script.sql:3:8" in done.stderr


def test_the_end_of_a_pipe_is_quiet(tmp_path: Path) -> None:
    with dev(project(tmp_path, STREAM)) as servers:
        asked = "SET 'auto.offset.reset' = 'earliest'; SELECT * FROM S EMIT CHANGES;"
        run("sql", "-e", "INSERT INTO S VALUES (1); INSERT INTO S VALUES (2);", "--server", servers.ksql)
        for arguments in (
            ["-e", asked],
            ["--json", "-e", asked],
            ["-e", "LIST STREAMS EXTENDED; SHOW FUNCTIONS;"],
        ):
            command = [BIN, "sql", "--server", servers.ksql, *arguments]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            if "EMIT" in arguments[-1]:  # it learns of the end when it writes
                for _ in range(3):
                    run("sql", "-e", "INSERT INTO S VALUES (3);", "--server", servers.ksql)
            assert process.wait(20) == 141
            assert process.stderr.read() == ""
            process.stderr.close()


def test_statements_from_standard_input(tmp_path: Path) -> None:
    with dev(project(tmp_path, STREAM)) as servers:
        command = [BIN, "sql", "--server", servers.ksql]
        said = "\ufeffSHOW STREAMS;\r\nSELECT NOPE\r\n FROM S;\r\n".encode()
        done = subprocess.run(command, input=said, capture_output=True, timeout=60)
    assert done.returncode == 1
    assert b"KAFKA" in done.stdout
    assert b"<sql>:2:8: SELECT column 'NOPE' cannot be resolved." in done.stderr


def test_a_projects_tests(tmp_path: Path) -> None:
    folder = project(tmp_path, STREAM + "CREATE STREAM T AS SELECT A FROM {{ ref('S') }} WHERE A > 1;\n")
    (folder / "tests").mkdir()
    (folder / "tests/t.sql").write_text("INSERT INTO S VALUES (2);\nASSERT VALUES T (A) VALUES (2);\n")
    done = run("test", "--junit", "out/junit.xml", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "1 passed" in done.stdout
    assert 'tests="1" failures="0"' in (folder / "out/junit.xml").read_text()
    (folder / "tests/t.sql").write_text("INSERT INTO S VALUES (2);\nASSERT VALUES T (A) VALUES (3);\n")
    done = run("test", "--json", folder=folder)
    assert done.returncode == 1
    (found,) = json.loads(done.stdout)
    assert (found["line"], found["differences"]) == (2, [{"column": "A", "expected": "3", "actual": "2"}])
