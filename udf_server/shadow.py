"""What a shadow version would have answered, beside what the live one did."""

from __future__ import annotations

from typing import Any, Final

from udf_server.function import RowError
from udf_server.metrics import Metrics

_SAME: Final = 1e-9


def compare(metrics: Metrics, model: str, version: int, live: list[Any], shadow: list[Any]) -> None:
    """Count rows whose answers are the same, different or failed in one of the two, and how far numbers are apart."""
    labels = {"model": model, "version": str(version)}
    apart = metrics.apart.of(**labels)
    counts = {"same": 0, "different": 0, "failed": 0}
    for ours, its in zip(live, shadow, strict=True):
        if isinstance(ours, RowError) or isinstance(its, RowError):
            counts["failed"] += 1
        elif type(ours) is float and type(its) is float:
            distance = abs(ours - its)
            apart(distance)
            counts["same" if distance <= _SAME else "different"] += 1
        else:
            counts["same" if ours == its else "different"] += 1
    for outcome, count in counts.items():
        if count:
            metrics.shadowed.add(count, **labels, outcome=outcome)
