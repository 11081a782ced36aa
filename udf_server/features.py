"""The features of fraud models, computed offline exactly as SQL's tumbling windows compute them.

For each row: the running COUNT and SUM over its key and its window, the row itself included. Windows are
aligned to the epoch as ksqlDB's are, and sums are added in arrival order, so that both sides give the same
doubles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """A tumbling window of `width_ms` over the rows of one `key`: names of the count and of the sum of
    `value`."""

    key: str
    width_ms: int
    value: str
    count: str
    total: str


FRAUD_WINDOWS: Final = (
    WindowSpec("CUSTOMER_ID", HOUR_MS, "AMOUNT", "CUSTOMER_COUNT_1H", "CUSTOMER_SUM_1H"),
    WindowSpec("CUSTOMER_ID", DAY_MS, "AMOUNT", "CUSTOMER_COUNT_1D", "CUSTOMER_SUM_1D"),
    WindowSpec("TERMINAL_ID", DAY_MS, "AMOUNT", "TERMINAL_COUNT_1D", "TERMINAL_SUM_1D"),
)
# In the order in which FRAUD_SCORE takes them.
FRAUD_FEATURES: Final = (
    "AMOUNT",
    "CUSTOMER_COUNT_1H",
    "CUSTOMER_SUM_1H",
    "CUSTOMER_COUNT_1D",
    "CUSTOMER_SUM_1D",
    "TERMINAL_COUNT_1D",
    "TERMINAL_SUM_1D",
)


class RunningWindows:
    """Counts and sums of windows under way: rows in, in (time) order, as many at a time as one likes; features out."""

    def __init__(
        self,
        specs: Sequence[WindowSpec] = FRAUD_WINDOWS,
        *,
        time: str = "TX_TIME",
        keep: Sequence[str] = ("AMOUNT",),
    ) -> None:
        self._time, self._keep = time, keep
        self._windows: list[tuple[WindowSpec, dict[tuple[Any, int], list[Any]]]] = [(s, {}) for s in specs]

    def add(self, rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
        """Columns of features, one value per row: `keep` as they are, then each spec's two.

        A NULL value counts as a row and adds nothing to the sum, as COUNT(*) and SUM do.
        """
        columns: dict[str, list[Any]] = {name: [] for name in self._keep}
        running = [
            (spec, state, columns.setdefault(spec.count, []), columns.setdefault(spec.total, []))
            for spec, state in self._windows
        ]
        for row in rows:
            at = row[self._time]
            for name in self._keep:
                columns[name].append(row[name])
            for spec, state, counts, totals in running:
                window = state.setdefault((row[spec.key], at // spec.width_ms), [0, 0.0])
                window[0] += 1
                window[1] += row[spec.value] or 0.0
                counts.append(window[0])
                totals.append(window[1])
        return columns


def windowed_features(
    rows: Iterable[Mapping[str, Any]],
    specs: Sequence[WindowSpec] = FRAUD_WINDOWS,
    *,
    time: str = "TX_TIME",
    keep: Sequence[str] = ("AMOUNT",),
) -> dict[str, list[Any]]:
    """The features of all rows, as `RunningWindows.add` gives them."""
    return RunningWindows(specs, time=time, keep=keep).add(rows)
