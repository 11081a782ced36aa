"""ksqlkit process: score a topic's records beside ksqlDB, exactly once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ksqlkit.cli.options import (
    JsonOption,
    ProjectOption,
    ScoringOption,
    open_config,
    open_loader,
)
from ksqlkit.cli.output import guarded, messages, print_json


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
    ] = 10_000,
    unavailable: Annotated[
        str,
        typer.Option(
            "--unavailable",
            help="While the scoring server is away: `wait` for it, or follow the function's `policy`.",
        ),
    ] = "wait",
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
    import contextlib
    import os
    import threading
    from dataclasses import asdict

    from ksqlkit.errors import ProjectError, UserError
    from ksqlkit.processor.console import follow, logging_to_stderr, stopping_on_signals
    from ksqlkit.processor.counters import Counters, MetricsPage
    from ksqlkit.processor.kafka import require
    from ksqlkit.processor.settings import Settings, kafka_properties
    from ksqlkit.processor.spec import find, read_file
    from ksqlkit.processor.start import Scoring, run_all

    if unavailable not in ("wait", "policy"):
        raise UserError(f"--unavailable is wait or policy, not {unavailable!r}")
    require()
    config = open_config(project)
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
        registry=registry,
        registry_user_info=os.environ.get("KSQLKIT_REGISTRY_USER_INFO"),
    )
    files = [s for s in specs if s.endswith(".sql")]
    names = [s for s in specs if not s.endswith(".sql")]
    chosen = [read_file(Path(f)) for f in files] + (find(open_loader(config), names) if names else [])
    if len(chosen) > 1 and (group or dead_topic or state_topic):
        raise UserError(
            "--group, --dead-topic and --state-topic are for one processor", hint="Start one each."
        )

    def source() -> Scoring:
        if here:
            return Scoring.here(config.models, config.functions)
        url = scoring or config.scoring_url
        if url is None:
            raise ProjectError("No scoring server is named", hint="Give --scoring URL, or --here.")
        token = os.environ.get(config.scoring_token_env) if config.scoring_token_env else None
        return Scoring(url, token)

    counters, stop = Counters(), threading.Event()
    with contextlib.ExitStack() as stack:
        stack.enter_context(logging_to_stderr())
        if metrics is not None:
            page = stack.enter_context(MetricsPage(counters, metrics_host, metrics))
            messages.print(f"metrics at http://{metrics_host}:{page.port}/metrics", soft_wrap=True)
        stack.enter_context(stopping_on_signals(stop))
        running = stack.enter_context(follow(messages))
        tallies = run_all(chosen, settings, source, counters, stop, running)
    if json:
        print_json({name: asdict(tally) for name, tally in tallies.items()})
    else:
        for name, tally in tallies.items():
            messages.print(
                f"{name}: {tally.read:,} records read, {tally.written:,} results, {tally.dead:,} dead letters, "
                f"{tally.transactions:,} transactions",
                soft_wrap=True,
            )
