"""The models in use: loaded when first needed, replaced when an alias moves, kept when the new one is
broken."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from udf_server.drift.watch import Watched
from udf_server.errors import ModelError
from udf_server.models.loaded import LoadedModel, load
from udf_server.models.store import SHADOW, ModelStore

if TYPE_CHECKING:
    from udf_server.models.loaded import Floats


class LiveModels:
    """A thread-safe cache over a ModelStore."""

    def __init__(self, store: ModelStore) -> None:
        self.store = store
        self.note: Callable[[str, int, Floats, Floats], None] | None = None  # told of what models score
        self.errors: dict[str, str] = {}
        self._loaded: dict[tuple[str, int], LoadedModel] = {}
        self._serving: dict[str, int] = {}
        self._canaries: dict[str, tuple[int, float]] = {}
        self._owed: dict[str, float] = {}
        self._shadows: dict[str, int] = {}
        self._noted: dict[str, int] | None = None  # live versions at the last look
        self._lock = threading.Lock()

    def get(self, name: str, version: int | None = None) -> LoadedModel:
        """The model of that version, or the live one; raises ModelError."""
        if version is None:
            version = self._serving.get(name) or self.store.live(name)
        found = self._loaded.get((name, version))
        if found is None:
            with self._lock:
                found = self._loaded.get((name, version)) or self._load(name, version)
                self._loaded[name, version] = found
                if name not in self._serving and version == self.serving(name):
                    self._serving[name] = version
                # What a model and its library keep is kept for good: sparing the collector a walk over it after every
                # few thousand parsed rows halves the time to parse a call.
                gc.collect()
                gc.freeze()
        return found

    def _load(self, name: str, version: int) -> LoadedModel:
        found = load(self.store, name, version)
        note = self.note
        if note is None or self.store.reference(name, version) is None:
            return found
        watched: LoadedModel = Watched(found, lambda matrix, scores: note(name, version, matrix, scores))
        return watched

    def serving(self, name: str) -> int | None:
        """The version that answers for a name now, or None when there is no such model."""
        if name in self._serving:
            return self._serving[name]
        try:
            return self.store.live(name)
        except ModelError:
            return None

    def route(self, name: str) -> int | None:
        """The version that answers the next call that names none: the live one, or in its share of calls the canary."""
        canary = self._canaries.get(name)
        if canary is not None:
            owed = self._owed.get(name, 0.0) + canary[1]
            self._owed[name] = owed - (owed >= 1.0)
            if owed >= 1.0:
                return canary[0]
        return self.serving(name)

    def shadow(self, name: str) -> int | None:
        """The version whose scores are compared with the live one's, or None."""
        return self._shadows.get(name)

    def refresh(self) -> bool:
        """Follow aliases that moved, and load models that appeared, so that no call has to wait for them. A broken new
        version is reported and the old one keeps serving.

        Returns whether anything changed."""
        before = (dict(self._serving), dict(self.errors))
        canaries: dict[str, tuple[int, float]] = {}
        shadows: dict[str, int] = {}
        first = self._noted is None
        noted = self._noted = self._noted or {}
        for name in self.store.names():
            try:
                live = self.store.live(name)
                if self._serving.get(name, live) != live or (not first and noted.get(name) != live):
                    self.get(name, live)
                    self._serving[name] = live
                noted[name] = live
                canary, shadow = self.store.canary(name), self.store.aliases(name).get(SHADOW)
                if canary is not None:
                    self.get(name, canary[0])
                    canaries[name] = canary
                if shadow is not None:
                    self.get(name, shadow)
                    shadows[name] = shadow
                self.errors.pop(name, None)
            except ModelError as error:
                self.errors[name] = str(error)
        self._canaries, self._shadows = canaries, shadows
        return before != (self._serving, self.errors)
