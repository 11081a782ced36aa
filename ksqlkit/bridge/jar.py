"""Writes the jar: the runtime's classes, a class per function, and the manifest they were made from."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from ksqlkit.bridge.functions import function_class, generic_entries
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.errors import DataError

RESOURCE: Final = "ksqlkit/functions.json"
_TIME: Final = (1980, 1, 1, 0, 0, 0)  # the same manifest gives the same bytes
_KEPT: Final = (
    "name",
    "description",
    "overloads",
    "deterministic",
    "version",
    "nulls",
    "batch_limit",
    "timeout_ms",
    "on_failure",
    "default",
    "model",
    "model_version",
    "detail_of",
    "portable",
    "generic",
)


@dataclass(frozen=True, slots=True)
class Built:
    """What is in the jar, and what was left out and why."""

    path: Path
    functions: tuple[str, ...]
    left_out: Mapping[str, str]


def build_jar(entries: Sequence[Mapping[str, Any]], runtime: Path, out: Path) -> Built:
    """Write the jar of a manifest's functions. Functions that ksqlDB would refuse are left out, since one of them
    may keep its server from starting. Raises DataError when none is left or the runtime is no jar."""
    builtin = Registry()
    classes: dict[str, bytes] = {}
    kept: list[Mapping[str, Any]] = []
    left_out: dict[str, str] = {}
    for entry in [*entries, *generic_entries()]:
        name = entry["name"]
        try:
            if builtin.kind(name) is not None:
                raise ValueError("ksqlDB has a function of that name")
            if any(k["name"] == name for k in kept):
                raise ValueError("the name is taken by another function")
            path, content = function_class(entry)
        except ValueError as error:
            left_out[name] = str(error)
            continue
        classes[path] = content
        kept.append({key: entry[key] for key in _KEPT if key in entry})
    if not entries or len(left_out) >= len(entries):
        raise DataError("The manifest has no function that ksqlDB could load", hint=_first(left_out))
    try:
        with zipfile.ZipFile(runtime) as given:
            files = {n: given.read(n) for n in given.namelist() if n.endswith(".class")}
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{runtime} is no jar: {error}") from error
    if "io/ksqlkit/bridge/RemoteFunction.class" not in files:
        raise DataError(f"{runtime} is not the bridge's runtime", hint="build it with `make bridge`")
    draft = out.with_name(out.name + ".draft")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as jar:
        _put(jar, "META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\r\nCreated-By: ksqlkit\r\n\r\n")
        _put(jar, RESOURCE, orjson.dumps({"functions": kept}))
        for path, content in sorted({**files, **classes}.items()):
            _put(jar, path, content)
    draft.replace(out)  # a server that starts meanwhile sees the old jar or the new one
    return Built(out, tuple(k["name"] for k in kept), left_out)


def other_jars(built: Path, functions: Sequence[str]) -> dict[Path, list[str]]:
    """Jars of the bridge in the same folder that define some of the same functions: a ksqlDB server that finds a
    function in two jars does not start."""
    found: dict[Path, list[str]] = {}
    for path in sorted(built.resolve().parent.glob("*.jar")):
        if path == built.resolve():
            continue
        try:
            with zipfile.ZipFile(path) as jar:
                known = {e["name"] for e in orjson.loads(jar.read(RESOURCE))["functions"]}
        except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError):
            continue
        if shared := [name for name in functions if name in known]:
            found[path] = shared
    return found


def _put(jar: zipfile.ZipFile, path: str, content: bytes) -> None:
    info = zipfile.ZipInfo(path, _TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    jar.writestr(info, content)


def _first(left_out: Mapping[str, str]) -> str | None:
    return next((f"{name}: {why}" for name, why in left_out.items()), None)
