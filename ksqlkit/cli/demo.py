"""ksqlkit demo: the main job on real input, with a summary."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ksqlkit.cli.dev import PortOption, ScoringPortOption
from ksqlkit.cli.output import guarded, print_json
from ksqlkit.data import data_path
from ksqlkit.stack import KSQL_PORT, SCORING_PORT, StackOptions, run_stack


@guarded
def demo(
    port: PortOption = KSQL_PORT,
    scoring_port: ScoringPortOption = SCORING_PORT,
    scale: Annotated[
        float, typer.Option("--scale", min=0.05, max=1.0, help="Share of the input; 1 is all of it.")
    ] = 1.0,
    json: Annotated[bool, typer.Option("--json", help="Write the summary as JSON.")] = False,
) -> None:
    """Run the main job on real input: score, forecast and classify it in SQL, and print what came out.

    It loads a year of flights and weather, 200,000 card transactions and support messages. Nothing is kept.

    Example: ksqlkit demo --port 0
    """
    from ksqlkit.demo.job import run_job
    from ksqlkit.demo.summary import print_summary
    from ksqlkit.project.config import load_config

    config = load_config(data_path("ksqlkit.toml").parent)
    with tempfile.TemporaryDirectory(prefix="ksqlkit-demo-") as folder:
        models = Path(folder) / "models"
        log = Path(folder) / "log.db"
        options = StackOptions(
            models, config.functions, log, port=port, scoring_port=0 if port == 0 else scoring_port
        )
        with run_stack(options) as stack:
            report = run_job(stack, config, models, scale=scale)
    if json:
        print_json(report.as_dict())
    else:
        print_summary(report)
