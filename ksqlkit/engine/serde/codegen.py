"""Generated Python: source text compiled once, with the names it may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def compile_function(name: str, source: str, names: Mapping[str, object]) -> Callable[..., Any]:
    """The function `name` that `source` defines; `names` are its globals (copied)."""
    space: dict[str, Any] = dict(names)
    exec(compile(source, f"<ksqlkit {name}>", "exec"), space)
    function: Callable[..., Any] = space[name]
    return function
