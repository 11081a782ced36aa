"""Generated Python: source text compiled once, with the names it may use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any


def compile_function(name: str, source: str, names: Mapping[str, object]) -> Callable[..., Any]:
    """The function `name` that `source` defines; `names` are its globals (copied)."""
    space: dict[str, Any] = dict(names)
    exec(_compiled(name, source), space)
    function: Callable[..., Any] = space[name]
    return function


@lru_cache(maxsize=256)
def _compiled(name: str, source: str) -> CodeType:
    """Readers of one schema are made for each query and topic; their text is the same."""
    return compile(source, f"<ksqlkit {name}>", "exec")


class Source:
    """Collects the text of functions, and the names that they use."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self.names: dict[str, object] = {}
        self._count = 0

    def unique(self, prefix: str) -> str:
        """A name that nothing has yet."""
        self._count += 1
        return f"{prefix}_{self._count}"

    def bind(self, prefix: str, value: object) -> str:
        """A name of the value."""
        name = self.unique(prefix)
        self.names[name] = value
        return name

    def compile_writer(
        self,
        values: Sequence[str],
        pieces: Sequence[str],
        names: Mapping[str, object],
        *,
        wrapped: bool,
        slow: Callable[..., bytes | None],
    ) -> Callable[..., bytes | None]:
        """A writer of rows, whose columns are named by `values`: the pieces' bytes joined; `slow` has the last word on
        rows that raise one of `names["ODD"]`."""
        lines = ["def write(row):", "    if row is None:", "        return None", "    try:"]
        lines.append(f"        ({''.join(v + ', ' for v in values)}) = row")
        if not wrapped:
            lines += ["        if v0 is None:", "            return None"]
        lines.append(f"        return join(({', '.join(pieces)},))")
        lines += ["    except ODD:", "        return slow(row)"]
        known = self.names | {"join": b"".join, "slow": slow, **names}
        return compile_function("write", "\n".join([*self.functions, *lines]), known)


def indented(lines: Iterable[str]) -> list[str]:
    """The lines, one level deeper."""
    return ["    " + line for line in lines]
