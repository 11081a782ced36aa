"""The model registry on disk.

    models/NAME/VERSION/model.ubj       the model, in its library's own safe format
    models/NAME/VERSION/metadata.json   kind, checksum, features, calibration, metrics, what it was trained on
    models/NAME/VERSION/reference.json  how its features and scores were distributed, for `udf_server.drift`
    models/NAME/aliases.json            {"live": 3, "previous": 2, "canary": {"version": 4, "share": 0.1}, "shadow": 5}

The live version answers. Of the calls that name no version the canary answers its share; the shadow answers nobody, its
scores are only compared. Aliases are moved by promote, rollback, set_canary and set_shadow alone.

A version, once published, never changes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from udf_server.errors import ModelError

LIVE: Final = "live"
PREVIOUS: Final = "previous"
CANARY: Final = "canary"
SHADOW: Final = "shadow"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of a model version. `calibration` and `settings` (`task`, `derived`, `baseline`, `threshold`) are
    for the kind's reader; `metrics` are on held-out rows. `categories` are the known values of features that are
    words, `classes` the answers of a model that chooses among several, the ordinary one first."""

    name: str
    version: int
    kind: str
    file: str
    sha256: str
    features: tuple[str, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)
    training_data: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    created_at: str = ""
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()


class ModelStore:
    """The registry in a folder. Reads see only complete versions; writes are atomic renames."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """Models with at least one alias, sorted."""
        if not self.root.is_dir():
            return []
        return sorted(p.parent.name for p in self.root.glob("*/aliases.json"))

    def versions(self, name: str) -> list[int]:
        """The published versions of a model, ascending."""
        folder = self._folder(name)
        if not folder.is_dir():
            return []
        return sorted(int(p.name) for p in folder.iterdir() if p.name.isdigit())

    def aliases(self, name: str) -> dict[str, int]:
        """Alias to version; empty when the model does not exist."""
        return {a: int(v["version"] if a == CANARY else v) for a, v in self._read_aliases(name).items()}

    def canary(self, name: str) -> tuple[int, float] | None:
        """The canary's version and its share of the calls, or None."""
        found = self._read_aliases(name).get(CANARY)
        return None if found is None else (int(found["version"]), float(found["share"]))

    def _read_aliases(self, name: str) -> dict[str, Any]:
        path = self._folder(name) / "aliases.json"
        try:
            found = orjson.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ModelError(f"{self._shown(path)} is not JSON: {error}", hint=self._where) from error
        canary = found.get(CANARY, {"version": 1, "share": 0.0}) if isinstance(found, dict) else None
        numbers = [v for a, v in found.items() if a != CANARY] if isinstance(found, dict) else [None]
        if (
            not isinstance(canary, dict)
            or not isinstance(canary.get("share"), int | float)
            or not all(type(v) is int for v in (*numbers, canary.get("version")))
        ):
            raise ModelError(
                f"{self._shown(path)} is malformed: it maps aliases to version numbers", hint=self._where
            )
        return {str(alias): version for alias, version in found.items()}

    def live(self, name: str) -> int:
        """The version that answers when none is named; raises ModelError when there is none."""
        version = self.aliases(name).get(LIVE)
        if version is None:
            raise ModelError(f"there is no model {name!r}; train one with `ksqlkit train`", hint=self._where)
        return version

    def metadata(self, name: str, version: int) -> Metadata:
        """A version's metadata; raises ModelError when absent or malformed."""
        path = self._folder(name) / str(version) / "metadata.json"
        try:
            raw = orjson.loads(path.read_bytes())
            classes = tuple(raw.get("classes", ()))
            return Metadata(**{**raw, "features": tuple(raw["features"]), "classes": classes})
        except FileNotFoundError as error:
            raise ModelError(f"model {name!r} has no version {version}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{self._shown(path)} is malformed: {error}", hint=self._where) from error

    def read(self, name: str, version: int) -> tuple[Metadata, bytes]:
        """A version's metadata and model bytes, its checksum verified."""
        metadata = self.metadata(name, version)
        path = self._folder(name) / str(version) / Path(metadata.file).name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"cannot read {self._shown(path)}: {error.strerror}", hint=self._where
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != metadata.sha256:
            raise ModelError(
                f"{self._shown(path)} is corrupt: SHA-256 is {found[:12]}..., expected {metadata.sha256[:12]}...",
                hint=self._where,
            )
        return metadata, content

    def publish(
        self,
        name: str,
        content: bytes,
        *,
        kind: str,
        file: str,
        features: Sequence[str],
        metrics: Mapping[str, float] | None = None,
        training_data: Mapping[str, Any] | None = None,
        calibration: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        categories: Mapping[str, Sequence[str]] | None = None,
        classes: Sequence[str] = (),
        reference: bytes | None = None,
        promote: bool = True,
    ) -> Metadata:
        """Write the next version; with `promote` it goes live at once."""
        folder = self._folder(name)
        folder.mkdir(parents=True, exist_ok=True)
        version = max(self.versions(name), default=0) + 1
        metadata = Metadata(
            name=name,
            version=version,
            kind=kind,
            file=file,
            sha256=hashlib.sha256(content).hexdigest(),
            features=tuple(features),
            metrics=dict(metrics or {}),
            training_data=dict(training_data or {}),
            calibration=dict(calibration or {}),
            settings=dict(settings or {}),
            created_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            categories=dict(categories or {}),
            classes=tuple(classes),
        )
        draft = folder / f".{version}.{os.getpid()}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        (draft / file).write_bytes(content)
        (draft / "metadata.json").write_bytes(orjson.dumps(metadata, option=orjson.OPT_INDENT_2))
        if reference is not None:
            (draft / "reference.json").write_bytes(reference)
        draft.rename(folder / str(version))
        if promote:
            self.promote(name, version)
        return metadata

    def reference(self, name: str, version: int) -> bytes | None:
        """The distributions that the version was published with, or None."""
        try:
            return (self._folder(name) / str(version) / "reference.json").read_bytes()
        except OSError:
            return None

    def promote(self, name: str, version: int) -> None:
        """Make a version live, remembering the one before; refuses a corrupt one. It is canary or shadow no more."""
        self.read(name, version)
        with self._moving(name) as aliases:
            if aliases.get(LIVE) == version:
                return
            if LIVE in aliases:
                aliases[PREVIOUS] = aliases[LIVE]
            aliases[LIVE] = version
            if aliases.get(CANARY, {}).get("version") == version:
                del aliases[CANARY]
            if aliases.get(SHADOW) == version:
                del aliases[SHADOW]

    def rollback(self, name: str) -> int:
        """Make the version before the live one live again, and return it. A canary ends."""
        with self._moving(name) as aliases:
            if PREVIOUS not in aliases:
                raise ModelError(f"model {name!r} has no previous version to roll back to")
            self.read(name, aliases[PREVIOUS])
            aliases[LIVE], aliases[PREVIOUS] = aliases[PREVIOUS], aliases[LIVE]
            aliases.pop(CANARY, None)
            return int(aliases[LIVE])

    def set_canary(self, name: str, version: int | None, share: float = 0.1) -> None:
        """Let a version answer a share (over 0, under 1) of the calls that name none; None ends that."""
        if version is not None:
            if not 0.0 < share < 1.0:
                raise ModelError(f"a canary's share lies between 0 and 1, not at {share}")
            self.read(name, version)
        with self._moving(name) as aliases:
            aliases.pop(CANARY, None)
            if version is not None:
                _refuse_live(name, version, aliases)
                aliases[CANARY] = {"version": version, "share": share}

    def set_shadow(self, name: str, version: int | None) -> None:
        """Have a version score what the live one answers, for comparison only; None ends that."""
        if version is not None:
            self.read(name, version)
        with self._moving(name) as aliases:
            aliases.pop(SHADOW, None)
            if version is not None:
                _refuse_live(name, version, aliases)
                aliases[SHADOW] = version

    def _shown(self, path: Path) -> str:
        """A file for a message, which also SQL clients get: they are not told of the server's folders."""
        return str(path.relative_to(self.root))

    @property
    def _where(self) -> str:
        """A hint, which the command line alone shows."""
        return f"The models are in {self.root}."

    def _folder(self, name: str) -> Path:
        check_name(name)
        return self.root / name

    @contextmanager
    def _moving(self, name: str) -> Iterator[dict[str, Any]]:
        """The aliases, to be changed; written at the end unless the block raises. One process at a time."""
        folder = self._folder(name)
        if not folder.is_dir():
            raise ModelError(f"there is no model {name!r}", hint=self._where)
        with (folder / ".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            aliases = self._read_aliases(name)
            before = dict(aliases)
            yield aliases
            if aliases != before:
                draft = folder / f".aliases.{os.getpid()}"
                draft.write_bytes(orjson.dumps(aliases, option=orjson.OPT_INDENT_2))
                draft.replace(folder / "aliases.json")


def check_name(name: str) -> None:
    """Raise ModelError for what cannot be a model's name, such as one that leads out of the registry's folder."""
    if not _NAME.fullmatch(name):
        raise ModelError(
            f"{name[:80]!r} is no model name",
            hint="Up to 64 letters, digits, - and _, with a letter first.",
        )


def _refuse_live(name: str, version: int, aliases: Mapping[str, Any]) -> None:
    if aliases.get(LIVE) == version:
        raise ModelError(f"version {version} of model {name!r} is the live one", hint="Name another version.")
