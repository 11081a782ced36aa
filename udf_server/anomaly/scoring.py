"""Rows of many series against the memory: each learned once, in order, all of a call or none."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from udf_server.anomaly.series import MOST_NUMBERS, Scored, Series
from udf_server.function import RowError, too_long
from udf_server.memory.packing import pack, unpack
from udf_server.memory.protocol import Memory, Space
from udf_server.memory.rows import Place, SeenRows

SPACE: Final = "anomaly"
_NOTED: Final = 20_000

Row = tuple[str, int, Sequence[float | None], Place | None]


def score_rows(memory: Memory, rows: Sequence[Row]) -> list[float | RowError | None]:
    """The score of each row (series, time, values, place); None for a row whose value is missing. A row that was seen
    gets its answer again; one that is older than its series' latest is judged and not learned."""
    out: list[float | RowError | None] = []
    with memory.transaction(SPACE) as space:
        open_series: dict[str, tuple[Series, SeenRows]] = {}
        learned: set[str] = set()
        for name, time, given, place in rows:
            values = [v for v in given if v is not None]
            error = _refusal(name, given, values)
            if error is not None or len(values) < len(given):
                out.append(error)
                continue
            if name not in open_series:
                open_series[name] = _open(space, name, len(values))
            series, seen = open_series[name]
            if len(series.detectors) != len(values):
                out.append(
                    RowError(
                        f"series {name[:40]!r} has {len(series.detectors)} values a row, not {len(values)}"
                    )
                )
                continue
            if seen.seen(time, place):
                known = seen.answer(time)
                out.append(series.judge(time, values).score if known is None else known)
            elif time < series.time:
                out.append(series.judge(time, values).score)
            else:
                scored = series.update(time, values)
                seen.add(time, place, scored.score)
                _note(memory, name, time, scored)
                learned.add(name)
                out.append(scored.score)
        for name in learned:
            series, seen = open_series[name]
            space.put(name, pack({**series.state(), "seen": seen.state()}))
    return out


def explain_rows(memory: Memory, rows: Sequence[Row]) -> list[dict[str, float] | None]:
    """What the scores were made of, for rows that `score_rows` answered before: EXPECTED, LOW and HIGH (of each value,
    numbered from 1 where there are several), and the decades of surprise of each part."""
    out: list[dict[str, float] | None] = []
    with memory.transaction(SPACE) as space:
        for name, time, given, _ in rows:
            values = [v for v in given if v is not None]
            made_of = None
            if len(values) == len(given) and _refusal(name, given, values) is None:
                made_of = _noted.get((id(memory), name, time))
                if made_of is None:  # scored too long ago, or by another process
                    series, _seen = _open(space, name, len(values))
                    if len(series.detectors) == len(values):
                        made_of = _made_of(series.judge(time, values))
            out.append(made_of)
    return out


# What the latest rows' scores were made of, of all series in this process.
_noted: OrderedDict[tuple[int, str, int], dict[str, float]] = OrderedDict()


def _note(memory: Memory, name: str, time: int, scored: Scored) -> None:
    _noted[id(memory), name, time] = _made_of(scored)
    if len(_noted) > _NOTED:
        _noted.popitem(last=False)


def _open(space: Space, name: str, width: int) -> tuple[Series, SeenRows]:
    content = space.get(name)
    if content is None:
        return Series(width), SeenRows()
    state = unpack(content)
    return Series.of_state(state), SeenRows(state["seen"])


def _refusal(name: str, given: Sequence[float | None], values: Sequence[float]) -> RowError | None:
    if error := too_long("a series' name", name):
        return error
    if not 1 <= len(given) <= MOST_NUMBERS:
        return RowError(f"give 1 to {MOST_NUMBERS} values, not {len(given)}")
    if not all(math.isfinite(v) and abs(v) < 1e150 for v in values):
        return RowError("a value is NaN or infinite, or past 1e150")
    return None


def _made_of(scored: Scored) -> dict[str, float]:
    made_of: dict[str, float] = {}
    for number, finding in enumerate(scored.findings, 1):
        tag = f"_{number}" if len(scored.findings) > 1 else ""
        bounds = {"EXPECTED": finding.expected, "LOW": finding.low, "HIGH": finding.high}
        made_of |= {f"{k}{tag}": v for k, v in {**bounds, **finding.parts}.items() if v is not None}
    if len(scored.findings) > 1:
        made_of["TOGETHER"] = scored.joint
    return made_of
