"""The reference project's own tests, with the scoring server that its pipelines ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from ksqlkit.cli.options import open_loader
from ksqlkit.data import data_path
from ksqlkit.project.config import load_config
from ksqlkit.testing.cases import find_files, read_cases
from ksqlkit.testing.run import Runner
from tests.support.scoring_server import scoring_server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_the_reference_pipelines_hold(tmp_path: Path) -> None:
    config = load_config(data_path("ksqlkit.toml").parent)
    files = find_files(config)
    assert {f.stem for f in files} >= {"flights", "fraud", "machines", "posts", "requests", "shop"}
    server = scoring_server(tmp_path)
    try:
        runner = Runner(open_loader(config), server.url)
        for case in (case for file in files for case in read_cases(file)):
            outcome = runner.run(case)
            assert outcome.status == "passed", f"{outcome.place}: {outcome.message} {outcome.differences}"
    finally:
        server.stop()
