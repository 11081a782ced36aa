"""ksqlkit datagen: simulated input."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ksqlkit.cli.output import guarded, tell


class Kind(StrEnum):
    """What can be simulated."""

    TRANSACTIONS = "transactions"
    CUSTOMERS = "customers"
    TERMINALS = "terminals"
    MESSAGES = "messages"


@guarded
def datagen(
    kind: Annotated[Kind, typer.Argument(help="What to write.")],
    rows: Annotated[int, typer.Option("--rows", "-n", min=0, help="How many rows.")] = 10_000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same rows.")] = 7,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .jsonl or .csv file; else standard output.")
    ] = None,
) -> None:
    """Write simulated card transactions with labelled fraud, their customers and terminals, or support messages.

    Example: ksqlkit datagen transactions --rows 200000 --out transactions.csv
    """
    from ksqlkit import datagen as generators

    make = getattr(generators, kind.value)
    written = generators.write_rows(make(rows, seed=seed), out)
    tell(f"{written:,} {kind.value}" + (f" in {out}" if out else ""))
