"""`python -m ksqlkit.engine.rest`: the embedded ksqlDB as a server."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ksqlkit.errors import KsqlkitError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until it is told to stop; the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of each client that leaves in mid-answer
    try:
        _run(options)
    except KsqlkitError as error:
        print(error.render(), file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    from ksqlkit.engine.engine import Engine
    from ksqlkit.engine.functions.registry import Registry
    from ksqlkit.engine.rest.app import App
    from ksqlkit.engine.rest.auth import Guard
    from ksqlkit.engine.rest.open import connect_scoring, open_log
    from ksqlkit.engine.rest.serve import listen, serve, url_of
    from ksqlkit.engine.rest.service import Service
    from ksqlkit.process import stop_with_parent

    guard = Guard.read(Path(options.auth_file)) if options.auth_file else None
    found = listen(options.host, options.port)
    log = open_log(options.log)
    functions = Registry()
    scoring = None
    if options.scoring:
        token = os.environ.get(options.scoring_token_env) if options.scoring_token_env else None
        scoring = connect_scoring(options.scoring, token, functions, options.log)
    engine = Engine(
        log=log,
        functions=functions,
        properties={"ksql.schema.registry.url": "embedded", **dict(options.property)},
    )
    for sql, error in engine.context.startup_errors:
        logging.getLogger("ksqlkit.rest").warning("not restored: %s: %s", sql, error.message)
    engine.start()
    service = Service(engine)

    def ready() -> None:
        print(f"ksqlkit listening on {url_of(found)}", flush=True)
        stop_with_parent()

    def stopping() -> None:
        if scoring is not None:
            scoring.close()  # first: calls that wait for it let go of the engine

    try:
        asyncio.run(serve(App(service, guard), found, ready, stopping=stopping))
    finally:
        stopping()
        service.close()
        engine.close()
        found.close()


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ksqlkit.engine.rest", description="The embedded ksqlDB behind ksqlDB's HTTP API."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8088, help="0 takes a free one")
    parser.add_argument(
        "--log", default=":memory:", help="file that keeps records and state; :memory: keeps none"
    )
    parser.add_argument("--scoring", metavar="URL", help="scoring server whose functions SQL may call")
    parser.add_argument(
        "--scoring-token-env", metavar="VAR", help="environment variable with its bearer token"
    )
    parser.add_argument("--property", type=_setting, action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--auth-file", metavar="FILE", help="lines of user:password or bearer TOKEN")
    return parser


if __name__ == "__main__":
    sys.exit(main())
