"""Every macro of the library is documented, typed, and its example is ksqlDB SQL."""

from pathlib import Path

import jinja2
import pytest

from ksqlkit.data import data_path
from ksqlkit.dialect import parse
from ksqlkit.project.macros import find_macros
from tests.support.projects import write_project

MACROS = find_macros([data_path("macros")])


def test_the_library_is_complete() -> None:
    assert set(MACROS) == {
        "alert_debounce",
        "classify",
        "deduplicate",
        "forecast",
        "score",
        "scored",
        "split_valid",
        "velocity",
    }


@pytest.mark.parametrize("name", MACROS)
def test_documented_arguments_are_the_macros_arguments(name: str) -> None:
    macro = MACROS[name]
    template = jinja2.Environment().from_string(macro.path.read_text())
    assert set(getattr(template.module, name).arguments) == {a.name for a in macro.args}
    assert all(a.doc for a in macro.args)
    assert len(macro.doc) > 20


@pytest.mark.parametrize("name", MACROS)
def test_the_example_is_sql(name: str, tmp_path: Path) -> None:
    loader = write_project(tmp_path, {"sql/example.sql": MACROS[name].example})
    text, _ = loader.renderer.render(tmp_path / "sql/example.sql")
    assert parse(text)
