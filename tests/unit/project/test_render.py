"""Templates: what they write, and where their errors point."""

from pathlib import Path

import pytest

from ksqlkit.errors import ProjectError, TemplateError, UserError
from ksqlkit.project.config import load_config
from ksqlkit.project.loader import Loader

HEAD = "CREATE STREAM {name} (A INT) WITH (KAFKA_TOPIC='{name}', VALUE_FORMAT='JSON', PARTITIONS=1);\n"


def project(root: Path, files: dict[str, str], toml: str = "") -> Loader:
    (root / "ksqlkit.toml").write_text("[project]\nname = 'p'\n" + toml)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Loader(load_config(root))


def failure(loader: Loader) -> UserError:
    with pytest.raises(UserError) as caught:
        loader.load()
    return caught.value


def test_models_come_in_dependency_order(tmp_path: Path) -> None:
    loader = project(
        tmp_path,
        {
            "sql/a.sql": "CREATE STREAM Z AS SELECT A FROM {{ ref('Y') }};",
            "sql/b.sql": "CREATE STREAM Y AS SELECT A FROM {{ ref('x') }};",
            "sql/c.sql": HEAD.format(name="X"),
        },
    )
    assert [m.name for m in loader.load().models] == ["X", "Y", "Z"]


def test_a_stream_over_a_querys_topic_comes_after_the_query(tmp_path: Path) -> None:
    over = "CREATE STREAM A_OVER (N BIGINT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');"
    table = "CREATE TABLE T WITH (KAFKA_TOPIC='t') AS SELECT A, COUNT(*) AS N FROM X GROUP BY A;"
    loader = project(tmp_path, {"sql/1.sql": over, "sql/2.sql": table, "sql/3.sql": HEAD.format(name="X")})
    assert [m.name for m in loader.load().models] == ["X", "T", "A_OVER"]


def test_a_changed_parent_changes_the_childs_fingerprint(tmp_path: Path) -> None:
    files = {"sql/x.sql": HEAD.format(name="X"), "sql/y.sql": "CREATE STREAM Y AS SELECT A FROM X;"}
    before = {m.name: m.fingerprint for m in project(tmp_path, files).load().models}
    same = {m.name: m.fingerprint for m in project(tmp_path, files).load().models}
    files["sql/x.sql"] = files["sql/x.sql"].replace("A INT", "A INT, B INT")
    after = {m.name: m.fingerprint for m in project(tmp_path, files).load().models}
    assert before == same
    assert before["X"] != after["X"]
    assert before["Y"] != after["Y"]


def test_undefined_variable_names_its_place_and_a_neighbour(tmp_path: Path) -> None:
    sql = HEAD.format(name="X") + "CREATE STREAM Y AS SELECT A\n  FROM X WHERE A > {{ var('treshold') }};"
    error = failure(project(tmp_path, {"sql/y.sql": sql}, "[vars]\nthreshold = 1\n"))
    assert error.location is not None
    assert (error.location.line, error.location.text) == (3, "  FROM X WHERE A > {{ var('treshold') }};")
    assert error.hint == "Did you mean 'threshold'?"


def test_undefined_name_names_its_place(tmp_path: Path) -> None:
    sql = HEAD.format(name="X") + "\nCREATE STREAM Y AS SELECT A FROM {{ nowhere }};"
    error = failure(project(tmp_path, {"sql/y.sql": sql}))
    assert error.location is not None
    assert (error.location.line, error.location.column) == (3, 37)


def test_unknown_ref_points_at_the_call(tmp_path: Path) -> None:
    files = {
        "sql/x.sql": HEAD.format(name="ORDERS"),
        "sql/y.sql": "\nCREATE STREAM Y AS SELECT A FROM {{ ref('ORDER') }};",
    }
    error = failure(project(tmp_path, files))
    assert isinstance(error, TemplateError)
    assert error.location is not None
    assert (error.location.line, error.location.column) == (2, 42)
    assert error.hint == "Did you mean 'ORDERS'?"


def test_cycle_is_printed_as_a_path(tmp_path: Path) -> None:
    files = {
        "sql/a.sql": "CREATE STREAM A AS SELECT X FROM {{ ref('C') }};",
        "sql/b.sql": "CREATE STREAM B AS SELECT X FROM {{ ref('A') }};",
        "sql/c.sql": "CREATE STREAM C AS SELECT X FROM {{ ref('B') }};",
    }
    error = failure(project(tmp_path, files))
    assert isinstance(error, ProjectError)
    assert "A -> B -> C -> A" in error.message


def test_bad_sql_points_into_the_template_not_the_rendered_text(tmp_path: Path) -> None:
    sql = (
        "{% for i in range(3) %}\n"
        + HEAD.format(name="S{{ i }}")
        + "{% endfor %}\nCREATE STREM Y AS SELECT A FROM S1;"
    )
    error = failure(project(tmp_path, {"sql/y.sql": sql}))
    assert error.location is not None
    assert error.location.text == "CREATE STREM Y AS SELECT A FROM S1;"
    assert (error.location.line, error.location.column) == (4, 8)


def test_bad_sql_from_a_macro_points_at_the_call_and_tells_the_macro(tmp_path: Path) -> None:
    header = "{#\ndoc = 'd'\nexample = 'e'\n[args]\na = { type = 'string', doc = 'x' }\n#}\n"
    macro = header + "{% macro bad(a) %}SELEC {{ a }}{% endmacro %}"
    files = {"macros/bad.sql.jinja": macro, "sql/y.sql": "-- one\n\n  {{ bad('x') }};"}
    error = failure(project(tmp_path, files))
    assert error.location is not None
    assert (error.location.line, error.location.column) == (3, 3)
    assert "bad.sql.jinja:7:" in (error.hint or "")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("deduplicate('A', 'X', key=1, columns={})", "key must be a column, not 1"),
        ("deduplicate('A', 'X', key='K', columns={}, window='soon')", "a duration such as"),
        ("deduplicate('A', 'X', kee='K', columns={})", "has no argument 'kee'"),
        ("deduplicate('A', 'X', columns={})", "needs 'key'"),
    ],
)
def test_macro_arguments_are_checked(tmp_path: Path, call: str, message: str) -> None:
    error = failure(project(tmp_path, {"sql/y.sql": "\n{{ " + call + " }}"}))
    assert message in error.message
    assert error.location is not None
    assert error.location.line == 2


def test_templates_cannot_reach_python(tmp_path: Path) -> None:
    error = failure(project(tmp_path, {"sql/y.sql": "{{ ''.__class__.__mro__[1].__subclasses__() }}"}))
    assert isinstance(error, TemplateError)


def test_a_runaway_template_ends(tmp_path: Path) -> None:
    sql = "{% for i in range(99999) %}{{ 'x' * 1000 }}{% endfor %}"
    error = failure(project(tmp_path, {"sql/y.sql": sql}))
    assert "characters" in error.message


def test_statements_that_are_not_models_are_refused(tmp_path: Path) -> None:
    error = failure(project(tmp_path, {"sql/y.sql": HEAD.format(name="X") + "SHOW STREAMS;"}))
    assert "not SHOW" in error.message
    assert error.location is not None
    assert error.location.line == 2


@pytest.mark.parametrize(
    ("toml", "key"),
    [
        ("[target.dev]\nurl='x'\n", "target"),
        ("[targets.dev]\nurll='x'\n", "targets.dev.urll"),
        ("[scoring]\nurl=1\n", "scoring.url"),
    ],
)
def test_unknown_and_wrong_keys_are_named(tmp_path: Path, toml: str, key: str) -> None:
    with pytest.raises(ProjectError) as caught:
        project(tmp_path, {}, toml)
    assert key in caught.value.message
    assert caught.value.location is not None
    assert caught.value.location.line is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{% include '{other}' %}}", "cannot include"),
        ("{{% import '{other}' as x %}}", "cannot include"),
        ("{{{{ range(1000000000) | list }}}}", "Range too big"),
    ],
)
def test_a_template_reads_no_file_of_the_machine_and_makes_no_endless_list(
    tmp_path: Path, text: str, message: str
) -> None:
    other = tmp_path / "secret.txt"
    other.write_text("secret")
    error = failure(project(tmp_path, {"sql/a.sql": text.format(other=other)}))
    assert message in error.message
    assert error.location is not None
    assert error.location.line == 1


def test_windows_line_ends_keep_the_places_of_errors(tmp_path: Path) -> None:
    loader = project(tmp_path, {})
    (tmp_path / "sql").mkdir()
    text = "\ufeff" + HEAD.format(name="X") + "\nCREATE STREAM Y AS\n  SELEC A FROM X;\n"
    (tmp_path / "sql/y.sql").write_bytes(text.replace("\n", "\r\n").encode())
    error = failure(loader)
    assert error.location is not None
    assert (error.location.line, error.location.column, error.location.text) == (4, 3, "  SELEC A FROM X;")
