"""forecasts/*.toml: unknown and wrong keys are named with their place."""

from pathlib import Path

import pytest

from forecasts.publish import table_statements
from forecasts.spec import load_spec, parse_frequency
from ksqlkit.dialect import parse
from ksqlkit.errors import ProjectError, UserError

GOOD = "source = 'S'\nseries = ['K']\nvalue = 'V'\ntarget = 'T'\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "demand.toml"
    path.write_text(text)
    return path


def test_defaults(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, GOOD + "frequency = '15 minutes'\n"))
    assert (spec.name, spec.horizon, spec.step) == ("demand", 24, 900_000)


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("horizn = 3", "Unknown key 'horizn'", "Did you mean 'horizon'?"),
        ("horizon = 0", "'horizon' cannot be 0", None),
        ("models = ['magic']", "'models' cannot be", "Models:"),
        ("gaps = 'guess'", "'gaps' cannot be 'guess'", "zero or interpolate"),
        ("frequency = 'fortnight'", "not a frequency", None),
        ("types = ['INT', 'INT']", "one SQL type per column", None),
        ("levels = []", "'levels' cannot be []", "[80, 95]"),
        ("levels = [80, 80]", "'levels' cannot be [80, 80]", None),
        ("levels = [80.5]", "'levels' cannot be", None),
        ("levels = [[80]]", "'levels' cannot be", None),
        ("horizon = 100000", "'horizon' cannot be 100000", "1 to 10000"),
        ("horizon = true", "'horizon' cannot be True", None),
        ("seasons = [1.5]", "'seasons' cannot be [1.5]", "in steps"),
        ("calendar = ['moon']", "'calendar' cannot be ['moon']", "weekday"),
        ("types = 5", "'types' cannot be 5", None),
        ("totals = true\ntypes = ['BIGINT']", "'totals' needs", None),
        ("totals = true\nlagged = ['X']", "do not go together", None),
        ("schedule = '61 * * * *'", "not within 0 to 59", None),
        ("models = ['stl+stl']", "'models' cannot be ['stl+stl']", "stl+ before any other"),
        ("where = ''", "'where' cannot be", None),
        ("horizon = ", "Not valid TOML", None),
    ],
)
def test_errors_name_the_key(tmp_path: Path, line: str, message: str, hint: str | None) -> None:
    with pytest.raises(ProjectError) as caught:
        load_spec(write(tmp_path, GOOD + line + "\n"))
    assert message in caught.value.message
    assert "demand.toml" in str(caught.value.location)
    if hint:
        assert hint in (caught.value.hint or "")


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="'target'"):
        load_spec(write(tmp_path, GOOD.replace("target", "tarjet").replace("tarjet = 'T'\n", "")))


def test_stl_before_any_model(tmp_path: Path) -> None:
    assert load_spec(write(tmp_path, GOOD + "models = ['stl+theta', 'stl']\n")).models == ("stl+theta", "stl")


def test_frequencies() -> None:
    assert parse_frequency("hour") == 3_600_000
    assert parse_frequency("2 days") == 172_800_000


def test_the_tables_are_sql(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, GOOD + "types = ['BIGINT']\n"))
    statements = parse("\n".join(table_statements(spec)))
    names = ["T_ROWS", "T_RUNS", "T_SCORES", "T", "T_LATEST", "T_STATUS", "T_ACCURACY"]
    assert [s.name for s in statements] == names


def test_a_file_that_is_not_utf_8_is_placed(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_bytes(b'source = "S"\nvalue = "W\xe4rme"\n')
    with pytest.raises(UserError) as caught:
        load_spec(path)
    assert caught.value.location is not None
    assert (caught.value.location.line, caught.value.location.column) == (2, 11)
