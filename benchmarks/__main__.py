"""`make bench`, or `python -m benchmarks [part of a name ...]`: run workloads, print a table, write build/bench.json.

The file is a list: an entry for each figure, then entries named machine, load and versions that say what it was
measured on. A run of some workloads only replaces their figures in the file and keeps the others.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import bridge, dialect, engine, forecasts, memory, processor, pull, scaling, scoring, server
from benchmarks.result import Benchmark, Result

OUTPUT = Path(__file__).resolve().parents[1] / "build" / "bench.json"
ALL: tuple[Benchmark, ...] = tuple(
    b
    for module in (engine, pull, server, memory, dialect, scaling, forecasts, scoring, bridge, processor)
    for b in module.BENCHMARKS
)
ABOUT = ("machine", "load", "versions")
PACKAGES = ("ksqlkit", "orjson", "sqlglot", "granian", "httpx", "xgboost-cpu")


def surroundings(before: tuple[float, float, float]) -> dict[str, Any]:
    """What the figures depend on; `before` is the machine's load when the run began."""
    models = [
        line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")
    ]
    memory_kb = next((int(line.split()[1]) for line in _lines("/proc/meminfo")), 0)
    machine = {
        "system": platform.platform(),
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "memory_mb": memory_kb // 1024,
    }
    load = {"before": [round(x, 2) for x in before], "after": [round(x, 2) for x in os.getloadavg()]}
    versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    return {"machine": machine, "load": load, "versions": versions}


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def table(results: Sequence[Result]) -> Table:
    """The figures beside their peers'."""
    shown = Table(title="Benchmarks", title_justify="left")
    for heading in ("name", "value", "unit", "peer", "ratio"):
        shown.add_column(heading, justify="right" if heading in ("value", "peer", "ratio") else "left")
    for result in results:
        peer = "" if result.peer_value is None else f"{result.peer_value:,g}"
        ratio = "" if result.ratio is None else f"{result.ratio:.2f}"
        shown.add_row(
            result.name,
            f"{result.value:,g}" if result.value < 1000 else f"{result.value:,.0f}",
            result.unit,
            peer,
            ratio,
        )
    return shown


def save(results: Sequence[Result], about: dict[str, Any], path: Path = OUTPUT) -> None:
    """Write the list; figures of an earlier run that this one did not measure stay."""
    measured = {r.name: r.entry() for r in results}
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    entries = {e["name"]: e for e in kept if e["name"] not in ABOUT} | measured
    blank = dict.fromkeys(("unit", "peer", "peer_value", "ratio"))
    rest = [{"name": name, "value": about[name], **blank} for name in ABOUT]
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([*entries.values(), *rest], indent=1) + "\n", encoding="utf-8")


def main(names: Sequence[str]) -> int:
    """Run what the names match (all without any); 2 when a name matches nothing."""
    console = Console()
    unknown = [n for n in names if not any(n.lower() in b.name.lower() for b in ALL)]
    if unknown:
        console.print(f"No benchmark is named {', '.join(unknown)}. There are:")
        console.print("\n".join(b.name for b in ALL))
        return 2
    chosen = [b for b in ALL if not names or any(n.lower() in b.name.lower() for n in names)]
    before = os.getloadavg()
    results: list[Result] = []
    columns = (SpinnerColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(chosen))
        for benchmark in chosen:
            progress.update(task, description=benchmark.name)
            for result in benchmark.run():
                results.append(result)
                progress.console.print(f"{result.name}: {result.value:,.10g} {result.unit}")
            progress.advance(task)
    console.print(table(results))
    save(results, surroundings(before))
    console.print(f"wrote {OUTPUT.relative_to(OUTPUT.parents[1])}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
