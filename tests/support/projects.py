"""Small projects for tests, run on the engine in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from ksqlkit.engine.engine import Engine
from ksqlkit.project.config import load_config
from ksqlkit.project.loader import Loader

EARLIEST = {"auto.offset.reset": "earliest"}


def write_project(root: Path, files: dict[str, str], toml: str = "") -> Loader:
    """A project folder with these files; `toml` is added to a minimal ksqlkit.toml."""
    (root / "ksqlkit.toml").write_text("[project]\nname = 'p'\n" + toml)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Loader(load_config(root))


def run_project(root: Path, sql: str) -> Engine:
    """An engine in memory that runs one file of templated SQL."""
    engine = Engine()
    for model in write_project(root, {"sql/models.sql": sql}).load().models:
        engine.execute(model.sql, properties=EARLIEST)
    return engine


def feed(engine: Engine, topic: str, rows: list[dict[str, Any]], times: list[int] | None = None) -> None:
    """Produce rows as JSON values without keys, and let the queries finish."""
    for i, row in enumerate(rows):
        engine.produce(topic, None, orjson.dumps(row), timestamp=times[i] if times else i)
    engine.run_until_idle()


def values(engine: Engine, topic: str) -> list[dict[str, Any]]:
    """All JSON values of a topic's first partition; tombstones are left out."""
    return [orjson.loads(r.value) for r in engine.read(topic) if r.value is not None]
