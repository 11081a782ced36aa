"""python -m udf_server: run the scoring server."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ksqlkit.errors import KsqlkitError


def _workers(text: str) -> int:
    if text == "auto":
        from udf_server.workers import automatic

        return automatic()
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor auto")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m udf_server", description="The scoring server for SQL's AI functions."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, default=8090, help="port; 0 picks a free one and prints it")
    parser.add_argument("--models", type=Path, default=Path("models"), help="folder of the model registry")
    parser.add_argument(
        "--functions", type=Path, help="folder of your own functions, reloaded when a file changes"
    )
    parser.add_argument(
        "--token-file", type=Path, help="one bearer token a line, optionally with the functions it may call"
    )
    parser.add_argument(
        "--lazy", action="store_true", help="load models at their first use instead of at start"
    )
    parser.add_argument("--threads", type=int, default=4, help="threads that run function bodies")
    parser.add_argument(
        "--workers",
        type=_workers,
        default=1,
        help="processes that share the port; auto is one for each core, as far as memory goes (default: 1)",
    )
    parser.add_argument("--tls-cert", type=Path, help="certificate chain (PEM); serves HTTPS only")
    parser.add_argument("--tls-key", type=Path, help="its private key, where that is not in the same file")
    parser.add_argument("--alert-webhook", help="URL of an Alertmanager (v2) that is told of drift")
    parser.add_argument(
        "--alert-ksqldb", help="URL of a ksqlDB whose stream ALERTS gets a row for each alert"
    )
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    given = vars(parser.parse_args(arguments))
    level = given.pop("log_level")
    if given["workers"] < 1 or given["threads"] < 1:
        parser.error("--workers and --threads must be at least 1")
    from ksqlkit.process import stop_with_parent
    from udf_server.serve import ServeOptions, run

    stop_with_parent()
    try:
        return run(ServeOptions(**given), log_level=level)
    except KsqlkitError as error:
        print(error.render(), file=sys.stderr)
        return error.exit_code
    except (OSError, ValueError) as error:
        print(f"udf_server cannot start: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
