"""A run's forecasts against what came since: filled into the accuracy table at every refresh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forecasts.publish import millis, timestamp
from forecasts.series import Panel
from forecasts.spec import Spec
from forecasts.tables import named, quote, series_columns, text
from ksqlkit.client.protocol import Client

if TYPE_CHECKING:
    from forecasts.publish import Row

ENOUGH = 3  # steps that must have come before an error says anything


@dataclass(frozen=True, slots=True)
class Score:
    """One series of one run: how many steps have come, their mean absolute error, the backtest's, and the share of them
    within each level's interval, in percent."""

    series: tuple[Any, ...]
    run_id: str
    steps: int
    error: float
    backtest_error: float | None
    covered: dict[int, float]

    def drifted(self, factor: float) -> bool:
        """Whether the error has left its band."""
        return bool(
            self.steps >= ENOUGH and self.backtest_error and self.error > factor * self.backtest_error
        )


def score_rows(rows: list[Row], panel: Panel, spec: Spec) -> list[Score]:
    """Scores of published rows by what a panel knows of their times; series of which nothing came have none."""
    names = series_columns(spec)
    place = {series: i for i, series in enumerate(panel.ids)}
    groups: dict[tuple[Any, ...], list[tuple[Row, float]]] = {}
    width = panel.values.shape[1]
    for row in rows:
        series = tuple(row[n] for n in names)
        i = place.get(series)
        if i is None or row["MEAN"] is None:
            continue
        back = (panel.ends[i] - millis(row["FORECAST_TS"])) // panel.step
        if 0 <= back < panel.lengths[i]:
            groups.setdefault(series, []).append((row, float(panel.values[i, width - 1 - back])))
    found = []
    for series, pairs in groups.items():
        n = len(pairs)
        covered = {
            level: 100 * sum(r[f"LO_{level}"] <= actual <= r[f"HI_{level}"] for r, actual in pairs) / n
            for level in spec.levels
        }
        error = sum(abs(r["MEAN"] - actual) for r, actual in pairs) / n
        first = pairs[0][0]
        found.append(Score(series, first["RUN_ID"], n, error, first["BACKTEST_ERROR"], covered))
    return found


def publish_scores(client: Client, spec: Spec, scores: list[Score], *, now: int) -> int:
    """Write scores; a series' row of the same run is replaced. Returns how many."""
    names = series_columns(spec)
    rows = [
        {
            **dict(zip(names, s.series, strict=True)),
            "RUN_ID": s.run_id,
            "STEPS": s.steps,
            "ERROR": s.error,
            "BACKTEST_ERROR": s.backtest_error,
            **{f"COVERED_{level}": share for level, share in s.covered.items()},
            "SCORED_AT": timestamp(now),
        }
        for s in scores
    ]
    return client.insert(named(spec, "SCORES"), rows) if rows else 0


def news(client: Client, spec: Spec, scores: list[Score]) -> list[Score]:
    """Scores that the accuracy table does not have yet, or has with other numbers of steps. Raises what the client
    raises."""
    if not scores:
        return []
    names = series_columns(spec)
    sql = f"SELECT * FROM {quote(named(spec, 'ACCURACY'))} WHERE RUN_ID = {text(scores[0].run_id)};"
    had = {tuple(row[n] for n in names): row["STEPS"] for row in client.query(sql).dicts()}
    return [s for s in scores if had.get(s.series) != s.steps]


def coverage_of(scores: list[Score]) -> tuple[dict[int, float], int]:
    """Percent inside by level over all scored steps, and how many they are."""
    steps = sum(s.steps for s in scores)
    levels = scores[0].covered if scores else {}
    return {level: sum(s.covered[level] * s.steps for s in scores) / steps for level in levels}, steps


def has_drifted(scores: list[Score], spec: Spec) -> bool:
    """Whether a tenth of the series, and at least one, left their band."""
    judged = [s for s in scores if s.steps >= ENOUGH]
    return sum(s.drifted(spec.drift) for s in judged) >= max(1, -(-len(judged) // 10)) if judged else False
