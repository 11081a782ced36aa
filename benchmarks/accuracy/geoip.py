"""Countries of addresses by the databases that GEOIP reads here (`ksqlkit geoip list`), and the time of a look-up.

The addresses of the shown file are those on which DB-IP and two others agreed, so the default database, which is
DB-IP's, does better on them than on addresses at large: the published figure is of free databases there.
"""

from __future__ import annotations

import sys
import time
from datetime import date
from pathlib import Path

from benchmarks.accuracy.files import kept_back, read_csv, shown
from benchmarks.accuracy.registry import Score
from udf_server.errors import ModelError
from udf_server.geoip.places import Places

ROUNDS = 3


def geoip(folder: Path) -> list[Score]:
    """Agreement over the addresses a database knows and over all, and microseconds a look-up, none answered from
    memory. Where GEOIP has no database only the time is measured, on MaxMind's test file."""
    places, own = Places(), True
    try:
        databases = places.databases()
    except ModelError as error:
        print(f"geoip: agreement is not measured: {error}", file=sys.stderr)
        places, own = Places(shown(folder / "geoip", "GeoLite2-City-Test.mmdb")), False
        databases = places.databases()
    names = [f"{d.path.stem} of {date.fromtimestamp(d.built)}" for d in databases]
    out = []
    for path in kept_back("lookups*.csv") or [folder / "geoip" / "lookups_10k.csv"]:
        addresses, countries = read_csv(path, "ip", "country")
        note = {"databases": names, "addresses": len(addresses), "test": path.stem}
        if own:
            found = [place and place["COUNTRY"] for place in places.look_up(addresses)]
            right = sum(f == c for f, c in zip(found, countries, strict=True))
            known = sum(f is not None for f in found)
            out.append(Score("geoip", "agreement, %", 100 * right / len(found), 94.0, note))
            out.append(Score("geoip", "agreement where known, %", 100 * right / max(known, 1), None, note))
        best = float("inf")
        for _ in range(ROUNDS):
            places.forget()
            start = time.perf_counter()
            places.look_up(addresses)
            best = min(best, time.perf_counter() - start)
        out.append(Score("geoip", "microseconds a look-up", 1e6 * best / len(addresses), None, note))
    return out


SETS = {"geoip": geoip}
