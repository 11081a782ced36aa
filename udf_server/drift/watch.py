"""The server's watch over its models: takes what they scored, judges it beside the serving, raises and ends alerts.

Several processes of a server share one window of each model version: counts in fixed bins add up, so it does not matter
which of them scored a row. The counts, what is firing and when it was last sent lie in a memory of their own; the
process that fills a window judges it and sends what comes of it, once.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from ksqlkit.files import write_whole
from udf_server.drift.alerts import Alert, Send, sending
from udf_server.drift.bins import Reference
from udf_server.drift.losses import LOSS, LossMonitor
from udf_server.drift.monitor import DriftMonitor, DriftSettings
from udf_server.errors import ModelError
from udf_server.memory.local import LocalMemory
from udf_server.memory.packing import pack, unpack
from udf_server.memory.protocol import Memory, Space
from udf_server.metrics import Metrics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from udf_server.models.store import ModelStore

    Floats = NDArray[np.float64]

logger = logging.getLogger("udf_server")

PENDING: Final = 50_000  # rows that wait to be counted; past that, rows go uncounted
REPEAT_SECONDS: Final = 60.0  # Alertmanager takes an alert for ended that is not repeated
QUIET_SECONDS: Final = 86_400.0  # an alert of a version that scores no more ends after that
STATE: Final = "drift.json"
SPACE: Final = "drift"
_ALERTS: Final = "alerts"
_UNUSABLE: Final = (OSError, sqlite3.Error, ValueError, KeyError, TypeError)  # the memory, or what it holds
Key = tuple[str, int]
Rows = list[tuple["Floats", "Floats"]]


class DriftWatch:
    """`note` is called where rows are scored and costs an append; `tick` does the work, on any one thread."""

    def __init__(
        self,
        store: ModelStore,
        metrics: Metrics,
        sends: Sequence[Send] = (),
        settings: DriftSettings | None = None,
        now: Callable[[], float] = time.time,
        memory: Memory | None = None,
    ) -> None:
        self._store, self._metrics, self._sends = store, metrics, sends
        self._settings, self._now = settings, now
        self._memory = memory or LocalMemory()
        self._rows: deque[tuple[Key, Floats, Floats]] = deque()
        self._waiting = 0
        self._labelled: deque[tuple[Key, Floats, Floats]] = deque()
        self._monitors: dict[Key, _Monitors | None] = {}
        self._looked = float("-inf")
        self._lock = threading.Lock()

    @property
    def firing(self) -> list[Alert]:
        """The alerts that last, whichever process raised them."""
        with self._memory.transaction(SPACE) as space:
            return list(_Firing(space).alerts.values())

    def note(self, name: str, version: int, matrix: Floats, scores: Floats) -> None:
        """Remember scored rows until the next tick."""
        if self._waiting < PENDING and scores.ndim == 1:
            self._waiting += len(scores)
            self._rows.append(((name, version), matrix, scores))

    def outcomes(self, name: str, version: int, scores: Floats, labels: Floats) -> None:
        """Remember what turned out to be true of rows that a version scored."""
        self._labelled.append(((name, version), scores, labels))

    def tick(self) -> None:
        """Count what was noted, judge full windows, and send what alerts began, ended or are due again."""
        with self._lock:
            rows, labelled = _by_key(self._rows), _by_key(self._labelled)
            self._waiting = sum(len(scores) for _, _, scores in list(self._rows))
            idle = not self._monitors or self._now() - self._looked < REPEAT_SECONDS / 2
            if idle and not rows and not labelled:
                return
            try:
                alerts = self._take(rows, labelled)
            except _UNUSABLE as error:
                logger.error("drift is watched in this process only from now on: %s", error)
                self._memory = LocalMemory()
                alerts = self._take(rows, labelled)
        if alerts:
            sending(self._sends, alerts)

    def close(self) -> None:
        """Give up what is open."""
        self._memory.close()

    def _take(self, rows: dict[Key, Rows], labelled: dict[Key, Rows]) -> list[Alert]:
        """Add to what all processes counted; what is to be sent."""
        now = self._looked = self._now()
        with self._memory.transaction(SPACE) as space:
            firing = _Firing(space)
            changed = firing.end_quiet(now)
            for key in dict.fromkeys((*rows, *labelled)):
                monitors = self._of(key)
                if monitors is None:
                    continue
                monitors.read(space, key)
                changed += self._count_rows(key, monitors, rows.get(key, []), firing)
                changed += self._count_labels(key, monitors, labelled.get(key, []), firing)
                monitors.write(space, key)
            due = firing.due(now)
            if changed or due:
                firing.write(space, now)
            for alert in changed:
                self._tell(alert, firing)
            for alert in firing.alerts.values():
                self._metrics.firing.set(1.0, **_labels(alert))
        return [*firing.alerts.values(), *(a for a in changed if a.ended is not None)] if due else changed

    def _count_rows(self, key: Key, monitors: _Monitors, rows: Rows, firing: _Firing) -> list[Alert]:
        import numpy as np

        drift = monitors.drift
        if not rows or rows[0][0].shape[1] != len(drift.reference.names) - 1:
            return []
        changed: list[Alert] = []
        windows = drift.add(np.concatenate([m for m, _ in rows]), np.concatenate([s for _, s in rows]))
        for f in (f for findings in windows for f in findings):
            labels = {"model": key[0], "version": str(key[1]), "quantity": f.name}
            self._metrics.psi.set(f.psi, **labels)
            self._metrics.distance.set(f.distance, **labels)
            found = Alert("ModelDrift", *key, f.name, f.psi, f.threshold, self._now())
            changed += firing.judge(found, f.alarm, f.over)
        return changed

    def _count_labels(self, key: Key, monitors: _Monitors, labelled: Rows, firing: _Firing) -> list[Alert]:
        losses = monitors.losses
        if losses is None:
            return []
        changed: list[Alert] = []
        for scores, labels in labelled:
            if losses.add(scores, labels):
                self._metrics.loss.set(losses.last, model=key[0], version=str(key[1]))
                found = Alert("ModelPerformance", *key, LOSS, losses.last, losses.threshold, self._now())
                changed += firing.judge(found, losses.alarm, losses.last > losses.threshold)
        return changed

    def _tell(self, alert: Alert, firing: _Firing) -> None:
        """Count and log a change, and leave word for `ksqlkit retrain --due`."""
        began = alert.ended is None
        if began:
            self._metrics.alerts.add(model=alert.model, quantity=alert.quantity)
        self._metrics.firing.set(float(began), **_labels(alert))
        logger.warning("%s", alert.text)
        path = self._store.root / alert.model / STATE
        same = [a for a in firing.alerts.values() if (a.model, a.version) == (alert.model, alert.version)]
        try:
            write_whole(path, orjson.dumps({"version": alert.version, "firing": [a.row() for a in same]}))
        except OSError as error:
            logger.error("%s cannot be written: %s", path, error)

    def _of(self, key: Key) -> _Monitors | None:
        if key not in self._monitors:
            content = self._store.reference(*key)
            self._monitors[key] = None
            if content is not None:
                try:
                    self._monitors[key] = _Monitors(Reference.of_bytes(content), self._settings)
                except ModelError as error:
                    logger.error("model %s version %d is not watched: %s", *key, error)
        return self._monitors[key]


class _Monitors:
    """What watches one model version, as it stands in the memory between ticks."""

    def __init__(self, reference: Reference, settings: DriftSettings | None) -> None:
        self.drift = DriftMonitor(reference, settings)
        self.losses = LossMonitor(reference.losses) if len(reference.losses) else None

    def read(self, space: Space, key: Key) -> None:
        """Go on from where the last process left it."""
        content = space.get(f"{key[0]}@{key[1]}")
        state = unpack(content) if content is not None else {}
        self.drift.restore(state)
        if self.losses is not None:
            self.losses.restore(state)

    def write(self, space: Space, key: Key) -> None:
        """Leave it for the next."""
        state = self.drift.state() | (self.losses.state() if self.losses is not None else {})
        space.put(f"{key[0]}@{key[1]}", pack(state))


class _Firing:
    """The alerts that last, by model, version and quantity, with when each was judged last."""

    def __init__(self, space: Space) -> None:
        content = space.get(_ALERTS)
        state: dict[str, Any] = orjson.loads(content) if content is not None else {"sent": 0.0, "alerts": []}
        self._sent: float = state["sent"]
        self.alerts: dict[tuple[str, int, str], Alert] = {}
        self._judged: dict[tuple[str, int, str], float] = {}
        for raw, judged in state["alerts"]:
            alert = Alert(**raw)
            self.alerts[_place(alert)] = alert
            self._judged[_place(alert)] = judged

    def judge(self, found: Alert, alarm: bool, over: bool) -> list[Alert]:
        """An alert begins with the alarm and lasts until a window is within the threshold."""
        place, now = _place(found), found.started
        known = self.alerts.get(place)
        if known is not None and over:
            self._judged[place] = now
        elif known is not None:
            del self.alerts[place]
            return [replace(found, started=known.started, ended=now)]
        elif alarm:
            self.alerts[place] = found
            self._judged[place] = now
            return [found]
        return []

    def end_quiet(self, now: float) -> list[Alert]:
        """End what nothing was heard of for long, such as alerts of a version that was replaced."""
        quiet = [p for p in self.alerts if now - self._judged[p] > QUIET_SECONDS]
        return [replace(self.alerts.pop(p), ended=now) for p in quiet]

    def due(self, now: float) -> bool:
        """Whether what lasts must be said again."""
        return bool(self.alerts) and now - self._sent > REPEAT_SECONDS

    def write(self, space: Space, now: float) -> None:
        """Keep it, as sent now."""
        alerts = [(asdict(alert), self._judged[place]) for place, alert in self.alerts.items()]
        space.put(_ALERTS, orjson.dumps({"sent": now, "alerts": alerts}))


def _place(alert: Alert) -> tuple[str, int, str]:
    return alert.model, alert.version, alert.quantity


def _labels(alert: Alert) -> dict[str, str]:
    return {"model": alert.model, "version": str(alert.version), "quantity": alert.quantity}


def _by_key(waiting: deque[tuple[Key, Floats, Floats]]) -> dict[Key, Rows]:
    """Take what waits, by model version."""
    found: dict[Key, Rows] = {}
    for _ in range(len(waiting)):
        key, first, second = waiting.popleft()
        found.setdefault(key, []).append((first, second))
    return found


class Watched:
    """A model whose `predict` is noted; in all else the model itself."""

    def __init__(self, model: Any, note: Callable[[Floats, Floats], None]) -> None:
        self._model, self._note = model, note

    def predict(self, matrix: Floats) -> Floats:
        """As the model does."""
        scores: Floats = self._model.predict(matrix)
        self._note(matrix, scores)
        return scores

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def is_drifting(store_root: Path, name: str, version: int) -> bool:
    """Whether an alert of the model's version lasts, as the server left word."""
    try:
        found: dict[str, Any] = orjson.loads((store_root / name / STATE).read_bytes())
        return bool(found["firing"]) and found["version"] == version
    except (OSError, ValueError, KeyError):
        return False
