"""Where the rows to be learned from are, and how a model comes to be trained again from there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ksqlkit.cli.options import open_client
from ksqlkit.errors import UserError

if TYPE_CHECKING:
    from ksqlkit.project.config import Config
    from udf_server.frame import Frame
    from udf_server.retraining import Plan


def split_names(given: str | None) -> tuple[str, ...]:
    """Column names of A,B,C, in upper case."""
    return tuple(n.strip().upper() for n in given.split(",") if n.strip()) if given else ()


def read_source(source: str, config: Config, target: str | None, server: str | None) -> Frame:
    """The rows of a query or a file, column names in upper case."""
    from udf_server.frame import Frame

    if source.lstrip()[:6].upper() == "SELECT":
        client, _ = open_client(None if server else config, target, server)
        try:
            return Frame.of(client.query(source if source.rstrip().endswith(";") else source + ";").dicts())
        finally:
            client.close()
    from ksqlkit.loading.readers import infer, read_rows

    path = Path(source)
    columns, _ = read_rows(path)
    texts = columns is not None and ".csv" in path.suffixes
    return Frame.read(lambda: read_rows(path)[1], infer if texts else None)


def planned(
    known: Plan | None,
    name: str,
    source: str | None,
    given: Mapping[str, Any],
    algorithm: str | None,
    every: float | None,
) -> Plan:
    """The plan a model has, with what was said anew. Raises UserError without a source, or for days that are none."""
    from dataclasses import replace

    from udf_server.retraining import Plan

    if every is not None and not every > 0:
        raise UserError(f"--every is a number of days over 0, not {every:g}")
    if source is None and known is None:
        raise UserError(
            f"{name} has no plan to be trained again",
            hint="Say --from and its columns once, as for `ksqlkit train`.",
        )
    # A plan is carried out from wherever the scheduler runs.
    kept = str(Path(source).resolve()) if source and Path(source[:255]).is_file() else source
    plan = known or Plan(kept or "")
    more: dict[str, Any] = {"source": kept, "algorithm": algorithm, "every_days": every}
    return replace(plan, **given, **{part: value for part, value in more.items() if value is not None})
