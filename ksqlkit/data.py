"""Where the files shipped with the package lie: the reference project and the macro library."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_path(name: str) -> Path:
    """Path of shipped data (`macros`, `sql`, `forecasts`, `ksqlkit.toml`), in a wheel or in a checkout."""
    inside = _PACKAGE / "_data" / name
    return inside if inside.exists() else _PACKAGE.parent / name
