"""Which project and which server a command means."""

from __future__ import annotations

from pathlib import Path

import pytest

from ksqlkit.cli.options import open_client, open_config, tell_reference
from ksqlkit.errors import ProjectError, UserError


@pytest.mark.parametrize("text", ["[project", "[project]\nname = 1\n", "[projekt]\n"])
def test_a_project_file_with_an_error_is_never_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "ksqlkit.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProjectError) as caught:
        open_config(None)
    assert caught.value.location is not None
    assert caught.value.location.file == str(tmp_path / "ksqlkit.toml")


def test_without_a_project_around_it_says_which_one_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tell_reference(open_config(None))
    assert "reference project" in capsys.readouterr().err


def test_a_targets_address_is_placed_in_the_project_file(tmp_path: Path) -> None:
    (tmp_path / "ksqlkit.toml").write_text("[targets.dev]\nurl = 'localhost:8088'\n")
    with pytest.raises(UserError, match="not the address") as caught:
        open_client(open_config(tmp_path), None, None)
    assert caught.value.location is not None
    assert caught.value.location.file == str(tmp_path / "ksqlkit.toml")
    with pytest.raises(UserError, match="not the address"):
        open_client(None, None, "")
