"""`ksqlkit.toml`: read, checked, frozen. Unknown keys are errors that name the key."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ksqlkit.errors import Location, ProjectError
from ksqlkit.files import read_text

FILE = "ksqlkit.toml"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a project runs: a ksqlDB at `url`, or the engine in this process with its log at `embedded`.

    Secrets are named by environment variable, never written in the file. `timeout` is in seconds.
    """

    name: str
    url: str | None = None
    embedded: str | None = None
    user_env: str | None = None
    password_env: str | None = None
    token_env: str | None = None
    rest_proxy: str | None = None
    timeout: float = 30.0
    properties: Mapping[str, Any] = field(default_factory=dict)

    def auth(self) -> tuple[str, str] | str | None:
        """Credentials from the environment. Raises ProjectError for a variable that is not set."""
        if self.token_env:
            return _secret(self.token_env, self.name)
        if self.user_env and self.password_env:
            return _secret(self.user_env, self.name), _secret(self.password_env, self.name)
        return None


@dataclass(frozen=True, slots=True)
class ExternalSource:
    """A stream or table that the project reads and somebody else creates."""

    name: str
    kind: str = "stream"
    description: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """A project's settings; paths are absolute."""

    root: Path
    name: str
    target: str
    targets: Mapping[str, Target]
    vars: Mapping[str, Any]
    sources: Mapping[str, ExternalSource]
    sql: Path
    macros: Path
    functions: Path
    models: Path
    forecasts: Path
    scoring_url: str | None = None
    scoring_token_env: str | None = None

    def pick_target(self, name: str | None = None) -> Target:
        """The named target, or the default one. Raises ProjectError for an unknown name."""
        wanted = name or self.target
        if wanted not in self.targets:
            raise ProjectError(
                f"There is no target {wanted!r}; the project has {', '.join(sorted(self.targets))}",
                location=Location(file=str(self.root / FILE)),
                hint=_suggest(wanted, self.targets),
            )
        return self.targets[wanted]


_TOP = ("project", "targets", "vars", "sources", "paths", "scoring")
_KEYS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "project": {"name": str, "target": str},
    "paths": {"sql": str, "macros": str, "functions": str, "models": str, "forecasts": str},
    "scoring": {"url": str, "token_env": str},
    "target": {
        "url": str,
        "embedded": str,
        "user_env": str,
        "password_env": str,
        "token_env": str,
        "rest_proxy": str,
        "timeout": (int, float),
        "properties": dict,
    },
    "source": {"kind": str, "description": str},
}


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` with a project file. Raises ProjectError if there is none."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / FILE).is_file():
            return folder
    raise ProjectError(
        f"No {FILE} in {start.resolve()} or above it",
        hint="Run the command inside a project, or name one with --project.",
    )


def load_config(root: Path) -> Config:
    """Read `root`/ksqlkit.toml. Raises ProjectError naming a key that is unknown or of the wrong type."""
    path = root / FILE
    if not path.is_file():
        raise ProjectError(f"There is no {path}", hint="Name a project's folder with --project.")
    text = read_text(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ProjectError(f"Not valid TOML: {exc}", location=Location(file=str(path))) from exc
    check = _Checker(path, text)
    check.keys("", data, dict.fromkeys(_TOP, dict))
    project = check.section("project", data.get("project", {}), "project")
    paths = check.section("paths", data.get("paths", {}), "paths")
    scoring = check.section("scoring", data.get("scoring", {}), "scoring")
    targets = {}
    for name, values in data.get("targets", {}).items():
        values = check.section(f"targets.{name}", values, "target")
        if ("url" in values) == ("embedded" in values):
            raise check.error(f"Target {name!r} needs exactly one of url and embedded", name)
        targets[name] = Target(name, **values)
    if not targets:
        targets = {"dev": Target("dev", url="http://127.0.0.1:8088")}
    sources = {}
    for name, values in data.get("sources", {}).items():
        values = check.section(f"sources.{name}", values, "source")
        sources[name.upper()] = ExternalSource(name.upper(), **values)
    folder = {k: root / paths.get(k, k) for k in ("sql", "macros", "functions", "models", "forecasts")}
    return Config(
        root=root,
        name=project.get("name", root.name),
        target=project.get("target", next(iter(targets))),
        targets=targets,
        vars=data.get("vars", {}),
        sources=sources,
        scoring_url=scoring.get("url"),
        scoring_token_env=scoring.get("token_env"),
        **folder,
    )


@dataclass(frozen=True, slots=True)
class _Checker:
    path: Path
    text: str

    def section(self, label: str, values: Any, kind: str) -> dict[str, Any]:
        if not isinstance(values, dict):
            raise self.error(f"{label} must be a table of settings", label.split(".")[-1])
        self.keys(label, values, _KEYS[kind])
        return values

    def keys(self, label: str, values: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        for key, value in values.items():
            shown = f"{label}.{key}" if label else key
            if key not in known:
                raise self.error(f"Unknown key {shown!r}", key, _suggest(key, known))
            if not isinstance(value, known[key]) or isinstance(value, bool):
                kinds = known[key] if isinstance(known[key], tuple) else (known[key],)
                wanted = " or ".join(t.__name__ for t in kinds)
                raise self.error(f"{shown!r} must be a {wanted}, not {value!r}", key)

    def error(self, message: str, word: str, hint: str | None = None) -> ProjectError:
        for number, line in enumerate(self.text.splitlines(), 1):
            column = line.find(word)
            if column >= 0:
                return ProjectError(
                    message, location=Location(str(self.path), number, column + 1, line), hint=hint
                )
        return ProjectError(message, location=Location(str(self.path)), hint=hint)


def _suggest(word: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}."


def _secret(variable: str, target: str) -> str:
    value = os.environ.get(variable)
    if value is None:
        raise ProjectError(
            f"Target {target!r} takes a secret from the environment variable {variable}, which is not set",
            hint=f"export {variable}=...",
        )
    return value
