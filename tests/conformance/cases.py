"""ksqlDB's own cases as data: found, read, and expanded by format."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    """One case in one format. `id` is feature/name[/format], unique within its kind ("query" or "rest")."""

    kind: str
    feature: str
    id: str
    spec: dict[str, Any]

    def __str__(self) -> str:
        return self.id


def reference() -> Path | None:
    """The folder of recorded behaviour: $KSQLDB_REFERENCE or ../shared/ksqldb; None where it is absent."""
    root = os.environ.get("KSQLDB_REFERENCE")
    path = Path(root) if root else Path(__file__).resolve().parents[3] / "shared" / "ksqldb"
    return path if (path / "conformance").is_dir() else None


def loads(text: str | bytes) -> Any:
    """JSON with exact numbers."""
    return json.loads(text, parse_float=Decimal)


def load_cases(kind: str) -> list[Case]:
    """All cases of a kind, in file order. Raises FileNotFoundError without the reference data."""
    root = reference()
    if root is None:
        raise FileNotFoundError("no reference data; set KSQLDB_REFERENCE or put it at ../shared/ksqldb")
    found: list[Case] = []
    taken: dict[str, int] = {}
    for path in sorted((root / "conformance" / kind).glob("*.json")):
        for spec in loads(path.read_text(encoding="utf-8"))["tests"]:
            for suffix, expanded in _expand(spec):
                name = f"{path.stem}/{spec['name']}{suffix}"
                taken[name] = taken.get(name, 0) + 1
                unique = name if taken[name] == 1 else f"{name} ({taken[name]})"
                found.append(Case(kind, path.stem, unique, expanded))
    return found


def _expand(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The spec once for each format; {CONFIG} becomes the first of its values."""
    config = spec.get("config")
    if config:
        spec = _replaced(spec, "{CONFIG}", str(config[0]))
    if not spec.get("format"):
        yield "", spec
        return
    for name in spec["format"]:
        yield f"/{name}", _replaced(spec, "{FORMAT}", name)


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, list):
        return [_replaced(v, old, new) for v in value]
    if isinstance(value, dict):
        return {k: _replaced(v, old, new) for k, v in value.items()}
    return value
