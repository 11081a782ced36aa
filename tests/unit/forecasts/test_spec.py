"""forecasts/*.toml: unknown and wrong keys are named with their place."""

from pathlib import Path

import pytest

from forecasts.publish import table_statements
from forecasts.spec import load_spec, parse_frequency
from ksqlkit.dialect import parse
from ksqlkit.errors import ProjectError

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
    ],
)
def test_errors_name_the_key(tmp_path: Path, line: str, message: str, hint: str | None) -> None:
    with pytest.raises(ProjectError) as caught:
        load_spec(write(tmp_path, GOOD + line + "\n"))
    assert message in caught.value.message
    if hint:
        assert hint in (caught.value.hint or "")


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="'target'"):
        load_spec(write(tmp_path, GOOD.replace("target", "tarjet").replace("tarjet = 'T'\n", "")))


def test_frequencies() -> None:
    assert parse_frequency("hour") == 3_600_000
    assert parse_frequency("2 days") == 172_800_000


def test_the_tables_are_sql(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, GOOD + "types = ['BIGINT']\n"))
    statements = parse("\n".join(table_statements(spec)))
    names = ["T_ROWS", "T_RUNS", "T_SCORES", "T", "T_LATEST", "T_STATUS", "T_ACCURACY"]
    assert [s.name for s in statements] == names
