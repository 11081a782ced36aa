"""The server's watch over its models: takes what they scored, judges it beside the serving, raises and ends alerts."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from udf_server.drift.alerts import Alert, Send, sending
from udf_server.drift.bins import Reference
from udf_server.drift.losses import LOSS, LossMonitor
from udf_server.drift.monitor import DriftMonitor, DriftSettings
from udf_server.errors import ModelError
from udf_server.metrics import Metrics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from udf_server.models.store import ModelStore

    Floats = NDArray[np.float64]

logger = logging.getLogger("udf_server")

PENDING: Final = 50_000  # rows that wait to be counted; past that, rows go uncounted
REPEAT_SECONDS: Final = 60.0  # Alertmanager takes an alert for ended that is not repeated
STATE: Final = "drift.json"
Key = tuple[str, int]


class DriftWatch:
    """`note` is called where rows are scored and costs an append; `tick` does the work, on any one thread."""

    def __init__(
        self,
        store: ModelStore,
        metrics: Metrics,
        sends: Sequence[Send] = (),
        settings: DriftSettings | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._metrics, self._sends, self._settings, self._now = (
            store,
            metrics,
            sends,
            settings,
            now,
        )
        self._rows: deque[tuple[Key, Floats, Floats]] = deque()
        self._waiting = 0
        self._labelled: deque[tuple[Key, Floats, Floats]] = deque()
        self._monitors: dict[Key, tuple[DriftMonitor, LossMonitor | None] | None] = {}
        self._firing: dict[tuple[Key, str], Alert] = {}
        self._sent = 0.0
        self._lock = threading.Lock()

    @property
    def firing(self) -> list[Alert]:
        """The alerts that last."""
        return list(self._firing.values())

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
            changed = self._count_rows() + self._count_labels()
            now = self._now()
            if self._firing and now - self._sent > REPEAT_SECONDS:
                changed = [*self._firing.values(), *(a for a in changed if a.ended is not None)]
            if changed:
                self._sent = now
                sending(self._sends, changed)

    def _count_rows(self) -> list[Alert]:
        import numpy as np

        parts: dict[Key, list[tuple[Floats, Floats]]] = {}
        for _ in range(len(self._rows)):
            key, matrix, scores = self._rows.popleft()
            parts.setdefault(key, []).append((matrix, scores))
        self._waiting = sum(len(scores) for _, _, scores in list(self._rows))
        changed: list[Alert] = []
        for key, found in parts.items():
            monitors = self._of(key)
            if monitors is None or found[0][0].shape[1] != len(monitors[0].reference.names) - 1:
                continue
            windows = monitors[0].add(
                np.concatenate([m for m, _ in found]), np.concatenate([s for _, s in found])
            )
            for findings in windows:
                for f in findings:
                    labels = {"model": key[0], "version": str(key[1]), "quantity": f.name}
                    self._metrics.psi.set(f.psi, **labels)
                    self._metrics.distance.set(f.distance, **labels)
                    changed += self._judge("ModelDrift", key, f.name, f.psi, f.threshold, f.alarm, f.over)
        return changed

    def _count_labels(self) -> list[Alert]:
        changed: list[Alert] = []
        for _ in range(len(self._labelled)):
            key, scores, labels = self._labelled.popleft()
            monitors = self._of(key)
            losses = monitors[1] if monitors else None
            if losses is not None and losses.add(scores, labels):
                self._metrics.loss.set(losses.last, model=key[0], version=str(key[1]))
                over = losses.last > losses.threshold
                changed += self._judge(
                    "ModelPerformance", key, LOSS, losses.last, losses.threshold, losses.alarm, over
                )
        return changed

    def _judge(
        self, name: str, key: Key, quantity: str, value: float, limit: float, alarm: bool, over: bool
    ) -> list[Alert]:
        """An alert begins with the alarm and lasts until a window is within the threshold."""
        known = self._firing.get((key, quantity))
        if known is None and not alarm:
            return []
        if known is not None and over:
            return []
        now = self._now()
        started = now if known is None else known.started
        ended = None if known is None else now
        alert = Alert(name, *key, quantity, value, limit, started, ended)
        if known is None:
            self._firing[key, quantity] = alert
            self._metrics.alerts.add(model=key[0], quantity=quantity)
        else:
            del self._firing[key, quantity]
        labels = {"model": key[0], "version": str(key[1]), "quantity": quantity}
        self._metrics.firing.set(float(known is None), **labels)
        logger.warning("%s", alert.text)
        self._write(key)
        return [alert]

    def _write(self, key: Key) -> None:
        """Leave word for `ksqlkit retrain --due`."""
        path = self._store.root / key[0] / STATE
        firing: list[dict[str, Any]] = [a.row() for (k, _), a in self._firing.items() if k == key]
        draft = path.with_name(f".{STATE}.{threading.get_ident()}")
        try:
            draft.write_bytes(orjson.dumps({"version": key[1], "firing": firing}))
            draft.replace(path)
        except OSError as error:
            logger.error("%s cannot be written: %s", path, error)

    def _of(self, key: Key) -> tuple[DriftMonitor, LossMonitor | None] | None:
        if key not in self._monitors:
            content = self._store.reference(*key)
            self._monitors[key] = None
            if content is not None:
                try:
                    reference = Reference.of_bytes(content)
                except ModelError as error:
                    logger.error("model %s version %d is not watched: %s", *key, error)
                else:
                    losses = LossMonitor(reference.losses) if len(reference.losses) else None
                    self._monitors[key] = (DriftMonitor(reference, self._settings), losses)
        return self._monitors[key]


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


def is_drifting(store_root: Path, name: str) -> bool:
    """Whether an alert of the model's lasts, as the server left word."""
    try:
        return bool(orjson.loads((store_root / name / STATE).read_bytes())["firing"])
    except (OSError, ValueError, KeyError):
        return False
