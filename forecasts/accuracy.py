"""Measures of forecasts against what came: M4's (sMAPE, MASE, OWA beside Naive 2) and interval coverage.

Source: Makridakis, Spiliotis and Assimakopoulos, "The M4 Competition: 100,000 time series and 61 forecasting methods"
(2020).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from forecasts.series import Matrix

    Vector = NDArray[np.float64]


def smape(actual: Matrix, forecast: Matrix) -> Vector:
    """Symmetric mean absolute percentage error per series, 0 to 200; where both are 0 there is no error."""
    import numpy as np

    size = np.abs(actual) + np.abs(forecast)
    found: Vector = (200 * np.abs(actual - forecast) / np.where(size > 0, size, 1.0)).mean(1)
    return found


def mase(history: Matrix, actual: Matrix, forecast: Matrix, season: int) -> Vector:
    """Mean absolute error per series in units of seasonal naive's one-step error within the history (NaN before it)."""
    import numpy as np

    change = np.abs(history[:, season:] - history[:, :-season])
    found: Vector = np.abs(actual - forecast).mean(1) / np.nanmean(change, axis=1)
    return found


def naive2(history: Matrix, horizon: int, season: int) -> Matrix:
    """The last value, seasonally adjusted by classical multiplicative indices where a 90 % test finds a season."""
    import numpy as np

    rows = []
    for row in history:
        line = row[np.isfinite(row)]
        indices = _indices(line, season) if _is_seasonal(line, season) else np.ones(season)
        last = line[-1] / indices[(len(line) - 1) % season]
        rows.append(last * indices[(len(line) + np.arange(horizon)) % season])
    return np.stack(rows)


def owa(history: Matrix, actual: Matrix, forecast: Matrix, season: int) -> float:
    """Overall weighted average: the mean of sMAPE and MASE, each in units of Naive 2's over the same series."""
    reference = naive2(history, actual.shape[1], season)
    parts = [
        smape(actual, forecast).mean() / smape(actual, reference).mean(),
        mase(history, actual, forecast, season).mean() / mase(history, actual, reference, season).mean(),
    ]
    return float(sum(parts) / 2)


def coverage(actual: Matrix, low: Matrix, high: Matrix) -> float:
    """Share of actuals within their interval, in percent."""
    return float(100 * ((low <= actual) & (actual <= high)).mean())


def _is_seasonal(line: Vector, season: int) -> bool:
    import numpy as np

    if season <= 1 or len(line) < 3 * season:
        return False
    off = line - line.mean()
    power = float(off @ off)
    if power == 0:
        return False
    correlation = np.array([off[k:] @ off[:-k] / power for k in range(1, season + 1)])
    limit = 1.645 * np.sqrt((1 + 2 * (correlation[:-1] ** 2).sum()) / len(line))
    return bool(abs(correlation[-1]) > limit)


def _indices(line: Vector, season: int) -> Vector:
    import numpy as np

    kernel = np.r_[0.5, np.ones(season - 1), 0.5] if season % 2 == 0 else np.ones(season)
    trend = np.convolve(line, kernel / season, "valid")
    start = len(kernel) // 2
    ratio = line[start : start + len(trend)] / trend
    at = np.arange(start, start + len(trend)) % season
    indices = np.array([ratio[at == s].mean() for s in range(season)])
    scaled: Vector = indices * season / indices.sum()
    return scaled
