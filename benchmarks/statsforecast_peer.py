"""Runs in the peer's environment: series from standard input, forecasts and seconds to standard output, one core."""

from __future__ import annotations

import json
import os
import sys
import time

os.environ.setdefault("NIXTLA_NUMBA_CACHE", "1")


def main() -> None:
    """Fit and forecast every series with every model; compiling is not counted."""
    import numpy as np
    import statsforecast
    from statsforecast import models

    given = json.load(sys.stdin)
    values = [np.array(v) for v in given["values"]]
    found = {}
    for name in given["models"]:
        make = getattr(models, name)
        make(season_length=given["season"]).forecast(y=values[0], h=given["horizon"])
        start = time.perf_counter()
        made = [make(season_length=given["season"]).forecast(y=v, h=given["horizon"])["mean"] for v in values]
        seconds = time.perf_counter() - start
        found[name] = {
            "seconds": seconds,
            "forecast": [m.tolist() for m in made],
            "version": statsforecast.__version__,
        }
    json.dump(found, sys.stdout)


main()
