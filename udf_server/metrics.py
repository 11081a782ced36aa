"""Counters and histograms in Prometheus' text format."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
APART: Final = (0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
ROWS: Final = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 10_000.0)

Labels = tuple[tuple[str, str], ...]


class Counter:
    """A number per set of labels that only grows (or, as a gauge, is set)."""

    kind = "counter"

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self._values: dict[Labels, float] = {}

    def add(self, amount: float = 1.0, **labels: str) -> None:
        """Add to the number of these labels."""
        key = tuple(labels.items())
        self._values[key] = self._values.get(key, 0.0) + amount

    def of(self, **labels: str) -> Callable[[float], None]:
        """`add` for these labels, to be kept by who counts often."""
        key = tuple(labels.items())
        values = self._values
        values.setdefault(key, 0.0)

        def add(amount: float) -> None:
            values[key] += amount

        return add

    def value(self, **labels: str) -> float:
        """The number of these labels."""
        return self._values.get(tuple(labels.items()), 0.0)

    def state(self) -> list[Any]:
        """What there is, for `merge` in another process."""
        return list(self._values.items())

    def merge(self, state: list[Any]) -> None:
        """Add what another process counted."""
        for labels, value in state:
            key = tuple((str(n), str(v)) for n, v in labels)
            self._values[key] = self._values.get(key, 0.0) + value

    def lines(self) -> Iterator[str]:
        """The samples."""
        for labels, value in sorted(self._values.items()):
            yield f"{self.name}{_shown(labels)} {value:.15g}"


class Gauge(Counter):
    """A number per set of labels, set to what is now."""

    kind = "gauge"

    def set(self, value: float, **labels: str) -> None:
        """Set the number of these labels."""
        self._values[tuple(labels.items())] = value


class Latest(Gauge):
    """A gauge of what all processes share: of several that were set, the one set last is right."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)
        self._set: dict[Labels, float] = {}

    def set(self, value: float, **labels: str) -> None:
        """Set the number of these labels, and remember when."""
        super().set(value, **labels)
        self._set[tuple(labels.items())] = time.time()

    def state(self) -> list[Any]:
        """What there is, for `merge` in another process."""
        return [(labels, value, self._set[labels]) for labels, value in self._values.items()]

    def merge(self, state: list[Any]) -> None:
        """Take what another process set later."""
        for labels, value, at in state:
            key = tuple((str(n), str(v)) for n, v in labels)
            if at >= self._set.get(key, at):
                self._values[key], self._set[key] = value, at


class Histogram:
    """A distribution per set of labels over fixed buckets."""

    kind = "histogram"

    def __init__(self, name: str, text: str, buckets: tuple[float, ...]) -> None:
        self.name, self.text, self._buckets = name, text, buckets
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, value: float, **labels: str) -> None:
        """Add a sample."""
        self.of(**labels)(value)

    def of(self, **labels: str) -> Callable[[float], None]:
        """`observe` for these labels, to be kept by who observes often."""
        key = tuple(labels.items())
        counts = self._counts.setdefault(key, [0] * (len(self._buckets) + 1))
        buckets, sums = self._buckets, self._sums
        sums.setdefault(key, 0.0)

        def observe(value: float) -> None:
            counts[bisect_left(buckets, value)] += 1
            sums[key] += value

        return observe

    def state(self) -> list[Any]:
        """What there is, for `merge` in another process."""
        return [(labels, counts, self._sums[labels]) for labels, counts in self._counts.items()]

    def merge(self, state: list[Any]) -> None:
        """Add what another process saw."""
        for labels, counts, total in state:
            key = tuple((str(n), str(v)) for n, v in labels)
            known = self._counts.setdefault(key, [0] * len(counts))
            self._counts[key] = [a + b for a, b in zip(known, counts, strict=True)]
            self._sums[key] = self._sums.get(key, 0.0) + total

    def lines(self) -> Iterator[str]:
        """The samples, buckets cumulative."""
        for labels, counts in sorted(self._counts.items()):
            total = 0
            for bound, count in zip((*map(str, self._buckets), "+Inf"), counts, strict=True):
                total += count
                yield f"{self.name}_bucket{_shown((*labels, ('le', bound)))} {total}"
            yield f"{self.name}_sum{_shown(labels)} {self._sums[labels]:.9g}"
            yield f"{self.name}_count{_shown(labels)} {total}"


class Metrics:
    """Everything the server counts."""

    def __init__(self) -> None:
        self.requests = Counter("udf_requests_total", "HTTP calls by function and status")
        self.rows = Counter("udf_rows_total", "Rows by function and outcome: OK or the reason of the error")
        self.versions = Counter("udf_model_rows_total", "Rows answered by model and version")
        self.shadowed = Counter("udf_shadow_rows_total", "Rows the shadow scored: same, different or failed")
        self.apart = Histogram(
            "udf_shadow_difference", "Distance of the shadow's numbers from the live ones", APART
        )
        self.psi = Latest("udf_drift_psi", "Population stability index of the last window")
        self.distance = Latest("udf_drift_distance", "Jensen-Shannon distance of the last window")
        self.loss = Latest("udf_model_loss", "Mean squared error of the last window of labelled rows")
        self.firing = Latest("udf_alert_firing", "1 while an alert lasts")
        self.alerts = Counter("udf_alerts_total", "Alerts that began")
        self.alerts_sent = Counter("udf_alerts_sent_total", "Alerts that a receiver took, repeats included")
        self.alert_retries = Counter("udf_alert_retries_total", "Times that sending alerts failed")
        self.alerts_dropped = Counter(
            "udf_alerts_dropped_total", "Alerts never sent: queue full, refused, too old, or server closed"
        )
        self.parse = Histogram("udf_parse_seconds", "Time to decode a call", SECONDS)
        self.queue = Histogram("udf_queue_seconds", "Time the oldest row of a batch waited", SECONDS)
        self.score = Histogram("udf_score_seconds", "Time a batch took in the function", SECONDS)
        self.encode = Histogram("udf_encode_seconds", "Time to encode an answer", SECONDS)
        self.batch = Histogram("udf_batch_rows", "Rows per batch", ROWS)
        self.queued = Gauge("udf_queued_rows", "Rows that wait now")
        self.reloads = Counter("udf_reloads_total", "Changes of the set of functions or models")

    def state(self) -> dict[str, list[Any]]:
        """All families, for `merge` in another process."""
        return {name: family.state() for name, family in vars(self).items()}

    def merge(self, state: Mapping[str, list[Any]]) -> None:
        """Add what another process counted."""
        for name, family in vars(self).items():
            family.merge(state.get(name, []))

    def render(self) -> str:
        """The page that Prometheus reads."""
        return render(vars(self).values())


def render(families: Iterable[Counter | Histogram]) -> str:
    """Families in Prometheus' text format."""
    out: list[str] = []
    for family in families:
        out += [
            f"# HELP {family.name} {family.text}",
            f"# TYPE {family.name} {family.kind}",
            *family.lines(),
        ]
    return "\n".join(out) + "\n"


def _shown(labels: Labels) -> str:
    inner = ",".join(f'{k}="{_escape(v)}"' for k, v in labels)
    return f"{{{inner}}}" if inner else ""


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
