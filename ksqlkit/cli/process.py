"""ksqlkit process: score a topic's records beside ksqlDB, exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ksqlkit.cli.options import (
    JsonOption,
    ProjectOption,
    ScoringOption,
    open_config,
    open_loader,
)
from ksqlkit.cli.output import guarded, print_json, tell

if TYPE_CHECKING:
    import threading

    from ksqlkit.processor.counters import Counters
    from ksqlkit.processor.processor import Processor, Tally
    from ksqlkit.processor.spec import Spec
    from ksqlkit.processor.start import Scoring
    from ksqlkit.project.config import Config


@guarded
def process(
    specs: Annotated[
        list[str],
        typer.Argument(
            help="Streams that the project makes with lane='processor', or .sql files that end in a query."
        ),
    ],
    brokers: Annotated[
        str | None, typer.Option("--brokers", help="HOST:PORT of Kafka brokers.", envvar="KSQLKIT_BROKERS")
    ] = None,
    kafka: Annotated[
        Path | None,
        typer.Option(
            "--kafka",
            help="A file of librdkafka properties (TLS, SASL); KSQLKIT_KAFKA_SASL_PASSWORD and the like win.",
            envvar="KSQLKIT_KAFKA_FILE",
        ),
    ] = None,
    registry: Annotated[
        str | None,
        typer.Option(
            "--registry",
            help="URL of the Schema Registry; KSQLKIT_REGISTRY_USER_INFO is user:password.",
            envvar="KSQLKIT_REGISTRY",
        ),
    ] = None,
    scoring: ScoringOption = None,
    here: Annotated[
        bool,
        typer.Option(
            "--here", help="Answer functions in this process, and keep what they remember in a Kafka topic."
        ),
    ] = False,
    group: Annotated[
        str | None, typer.Option("--group", help="The consumer group; by default ksqlkit-NAME.")
    ] = None,
    instance: Annotated[
        str | None,
        typer.Option(
            "--instance",
            help="A name that stays with this process: after a crash it goes on at once.",
            envvar="KSQLKIT_INSTANCE",
        ),
    ] = None,
    latency: Annotated[
        float, typer.Option("--latency", min=0.01, help="Seconds that a transaction may take.")
    ] = 1.0,
    max_rows: Annotated[
        int, typer.Option("--max-rows", min=1, help="Most records of a transaction.")
    ] = 40_000,
    unavailable: Annotated[
        str,
        typer.Option(
            "--unavailable",
            help="While the scoring server is away: `wait` for it, or follow the function's `policy`.",
        ),
    ] = "wait",
    pin: Annotated[
        list[str] | None,
        typer.Option(
            "--pin",
            help="FUNCTION keeps the version that is live at the start, FUNCTION@VERSION takes that one, `all` each its"
            " own; else what is promoted answers from the next transaction on. May be repeated.",
        ),
    ] = None,
    dead_topic: Annotated[
        str | None, typer.Option("--dead-topic", help="Where dead letters go; by default RESULT_DEAD.")
    ] = None,
    state_topic: Annotated[
        str | None,
        typer.Option("--state-topic", help="Where series' states are kept; by default RESULT_STATE."),
    ] = None,
    to_end: Annotated[
        bool,
        typer.Option("--to-end", help="End when the input's end is reached, instead of waiting for more."),
    ] = False,
    start_timeout: Annotated[
        float, typer.Option("--start-timeout", min=0.0, help="Seconds to wait for servers at the start.")
    ] = 30.0,
    metrics: Annotated[
        int | None, typer.Option("--metrics", help="Port for Prometheus, at /metrics; 0 takes a free one.")
    ] = None,
    metrics_host: Annotated[
        str, typer.Option("--metrics-host", help="Address the metrics are on.")
    ] = "127.0.0.1",
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Score a topic's records beside ksqlDB: results, dead letters, states and offsets in one Kafka transaction.

    Start as many processes as the input has partitions; they share them. SIGTERM and Ctrl-C end it cleanly. `--json`
    writes what was done at the end.

    Example: ksqlkit process FRAUD_SCORES --brokers localhost:29092
    """
    import os
    import threading

    from ksqlkit.errors import UserError
    from ksqlkit.processor.counters import Counters
    from ksqlkit.processor.kafka import require
    from ksqlkit.processor.settings import Settings, kafka_properties
    from ksqlkit.processor.start import run_all
    from ksqlkit.processor.versions import Pins

    if unavailable not in ("wait", "policy"):
        raise UserError(f"--unavailable is wait or policy, not {unavailable!r}")
    require()
    settings = Settings(
        kafka=kafka_properties(kafka, brokers),
        group=group,
        instance=instance,
        latency=latency,
        max_rows=max_rows,
        wait=unavailable == "wait",
        to_end=to_end,
        dead_topic=dead_topic,
        state_topic=state_topic,
        start_timeout=start_timeout,
        pins=Pins(pin or ()),
        registry=registry,
        registry_user_info=os.environ.get("KSQLKIT_REGISTRY_USER_INFO"),
    )
    config = open_config(project)
    chosen = _find_specs(specs, config)
    if len(chosen) > 1 and (group or dead_topic or state_topic):
        raise UserError(
            "--group, --dead-topic and --state-topic are for one processor", hint="Start one each."
        )
    counters, stop = Counters(), threading.Event()
    with _watched(counters, stop, metrics_host, metrics) as started:
        tallies = run_all(
            chosen, settings, lambda: _open_scoring(config, scoring, here), counters, stop, started
        )
    _report(tallies, json=json)


def _find_specs(specs: list[str], config: Config) -> list[Spec]:
    """The queries: files first, then those that the project names."""
    from ksqlkit.processor.spec import find, read_file

    files = [s for s in specs if s.endswith(".sql")]
    names = [s for s in specs if not s.endswith(".sql")]
    return [read_file(Path(f)) for f in files] + (find(open_loader(config), names) if names else [])


def _open_scoring(config: Config, url: str | None, here: bool) -> Scoring:
    """Where functions are answered. Raises ProjectError where nothing says so."""
    import os

    from ksqlkit.errors import ProjectError
    from ksqlkit.processor.start import Scoring

    if here:
        return Scoring.here(config.models, config.functions)
    found = url or config.scoring_url
    if found is None:
        raise ProjectError("No scoring server is named", hint="Give --scoring URL, or --here.")
    if not found.startswith(("http://", "https://")):
        raise ProjectError(f"The scoring server's URL begins with http:// or https://, not {found!r}")
    variable = config.scoring_token_env
    return Scoring(found, os.environ.get(variable) if variable else None)


@contextmanager
def _watched(
    counters: Counters, stop: threading.Event, host: str, port: int | None
) -> Iterator[Callable[[Processor], None]]:
    """Logging, metrics where a port is given, and signals that set `stop`, until the block ends; what it takes are
    processors that have started."""
    import contextlib

    from ksqlkit.processor.console import follow, logging_to_stderr, stopping_on_signals
    from ksqlkit.processor.counters import MetricsPage

    with contextlib.ExitStack() as stack:
        stack.enter_context(logging_to_stderr())
        if port is not None:
            page = stack.enter_context(MetricsPage(counters, host, port))
            tell(f"metrics at http://{host}:{page.port}/metrics")
        stack.enter_context(stopping_on_signals(stop))
        yield stack.enter_context(follow(tell))


def _report(tallies: dict[str, Tally], *, json: bool) -> None:
    """What was done."""
    from dataclasses import asdict

    if json:
        print_json({name: asdict(tally) for name, tally in tallies.items()})
        return
    for name, tally in tallies.items():
        tell(
            f"{name}: {tally.read:,} records read, {tally.written:,} results, {tally.dead:,} dead letters, "
            f"{tally.transactions:,} transactions"
        )
