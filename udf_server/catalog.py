"""Where functions come from: our own modules, entry points, and the .py files of a functions folder, reloaded
live."""

from __future__ import annotations

import importlib
import logging
import sys
import types
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from udf_server.function import Function

logger = logging.getLogger("udf_server")

BUILTIN: Final = (
    "fraud",
    "forecast",
    "classify",
    "sentiment",
    "anomaly",
    "embed",
    "moderate",
    "geoip",
    "threat",
    "maintenance",
    "recommend",
    "route",
    "validate",
    "predict",
)
ENTRY_POINTS: Final = "udf_server.functions"

_Stamp = tuple[int, int, int]


class Catalog:
    """The functions there are. `refresh` picks up changed files; a broken file keeps what it gave before."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.errors: dict[str, str] = {}
        self._files: dict[Path, tuple[_Stamp, list[Function]]] = {}
        self._packaged = [*_builtin(), *_from_entry_points(self.errors)]
        self.functions: dict[tuple[str, int], Function] = {}
        self._combine()
        self.refresh()

    def find(self, name: str, version: int | None = None) -> Function | None:
        """A function by name, the highest version unless one is named."""
        if version is not None:
            return self.functions.get((name, version))
        return max(
            (f for f in self.functions.values() if f.name == name), key=lambda f: f.version, default=None
        )

    def refresh(self) -> bool:
        """Load new and changed files, forget deleted ones; returns whether anything changed."""
        if self.folder is None:
            return False
        changed = False
        seen = sorted(self.folder.glob("*.py")) if self.folder.is_dir() else []
        for gone in set(self._files) - set(seen):
            del self._files[gone]
            self.errors.pop(gone.name, None)
            changed = True
        for path in seen:
            stamp = _stamp(path)
            known = self._files.get(path)
            if stamp is None or (known is not None and known[0] == stamp):
                continue
            changed = True
            functions = known[1] if known else []
            try:
                functions = load_file(path)
                self.errors.pop(path.name, None)
            except (Exception, SystemExit) as error:
                self.errors[path.name] = f"{type(error).__name__}: {error}{_line_of(error, path)}"
                logger.warning("functions file %s is broken: %s", path.name, self.errors[path.name])
            self._files[path] = (stamp, functions)
        if changed:
            self._combine()
        return changed

    def _combine(self) -> None:
        """A file of the user's replaces a packaged function of its name; two files may not give the same
        one."""
        combined = {(f.name, f.version): f for f in self._packaged}
        owner: dict[tuple[str, int], str] = {}
        for path, (_, functions) in sorted(self._files.items()):
            for found in functions:
                key = (found.name, found.version)
                if key in owner:
                    self.errors[path.name] = (
                        f"{found.name} version {found.version} is already in {owner[key]}"
                    )
                    continue
                owner[key] = path.name
                combined[key] = found
        self.functions = combined


def functions_of(module: types.ModuleType, origin: str) -> list[Function]:
    """The functions a module defines or holds, in order of definition."""
    # One that has an origin was imported from where it is defined, and counts there.
    found = [v for v in vars(module).values() if isinstance(v, Function) and v.origin in ("", origin)]
    for item in found:
        item.origin = origin
    return found


def load_file(path: Path) -> list[Function]:
    """Run a functions file in a fresh module and collect what it defines."""
    module = types.ModuleType(f"udf_server_user.{path.stem}")
    module.__file__ = str(path)
    code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    sys.modules[module.__name__] = module  # dataclasses and typing look their module up
    exec(code, module.__dict__)
    return functions_of(module, path.name)


def _builtin() -> Iterable[Function]:
    for name in BUILTIN:
        yield from functions_of(importlib.import_module(f"udf_server.builtin.{name}"), "udf_server")


def _from_entry_points(errors: dict[str, str]) -> Iterable[Function]:
    for point in entry_points(group=ENTRY_POINTS):
        try:
            yield from functions_of(point.load(), point.name)
        except Exception as error:
            errors[point.name] = f"{type(error).__name__}: {error}"


def _stamp(path: Path) -> _Stamp | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _line_of(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return ""  # its message carries the line
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {line})" if line else ""
