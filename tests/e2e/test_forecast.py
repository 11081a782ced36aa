"""`ksqlkit forecast` against a running server, from an empty folder to a drawn forecast."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from ksqlkit.client.http import HttpClient
from tests.support.command import dev, run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HOUR = 3_600_000
SPEC = """
source = "HOURLY"
series = ["SITE"]
value = "DEMAND"
time = "HOUR_START"
target = "LOAD_FORECAST"
frequency = "hour"
horizon = 12
models = ["theta", "autoregression"]
schedule = "0 * * * *"
"""
TABLES = (
    "CREATE TABLE READINGS (SITE STRING PRIMARY KEY, HOUR_START BIGINT PRIMARY KEY, DEMAND DOUBLE) WITH "
    "(KAFKA_TOPIC='readings', KEY_FORMAT='JSON', VALUE_FORMAT='JSON', PARTITIONS=1);"
    "CREATE TABLE HOURLY AS SELECT * FROM READINGS;"
)


def fill(client: HttpClient, hours: range) -> None:
    rows = [
        {"SITE": site, "HOUR_START": h * HOUR, "DEMAND": 50 + 20 * math.sin(h * math.pi / 12) + h % 7}
        for h in hours
        for site in ("north", "south")
    ]
    client.insert("READINGS", rows)


def test_refresh_status_plot_and_schedule(tmp_path: Path) -> None:
    (tmp_path / "ksqlkit.toml").write_text(
        '[project]\nname = "load"\ntarget = "dev"\n[targets.dev]\nurl = "http://x"\n'
    )
    (tmp_path / "forecasts").mkdir()
    (tmp_path / "forecasts" / "load.toml").write_text(SPEC)
    (tmp_path / "sql").mkdir()
    with dev(tmp_path) as server:
        client = HttpClient(server.ksql)
        client.execute(TABLES, properties={"auto.offset.reset": "earliest"})
        fill(client, range(400))
        env = {"KSQLKIT_SERVER": server.ksql}

        def forecast(*arguments: str) -> str:
            found = run("forecast", *arguments, folder=tmp_path, env=env)
            assert found.returncode == 0, found.stderr
            return found.stdout + found.stderr

        first = json.loads(forecast("refresh", "load", "--json"))
        assert [s["status"] for s in first["load"]] == ["OK", "OK"]
        assert all(s["error"] <= s["naive_error"] for s in first["load"])
        rows = client.query("SELECT * FROM LOAD_FORECAST;").dicts()
        assert sorted({r["STEP"] for r in rows}) == list(range(1, 13))
        assert len(client.query("SELECT * FROM LOAD_FORECAST_LATEST;").rows) == 2
        fill(client, range(400, 406))
        assert "shown what is new" in forecast("refresh", "load")
        [row] = json.loads(forecast("status", "--json"))
        assert (row["series"], row["failed"]) == (2, 0)
        assert {r["VERSION"] for r in client.query("SELECT * FROM LOAD_FORECAST;").dicts()} == {2}
        scores = client.query("SELECT * FROM LOAD_FORECAST_ACCURACY;").dicts()
        assert [s["STEPS"] for s in scores] == [6, 6]
        assert "theta" in forecast("explain", "load")
        forecast("backtest", "load")
        forecast("plot", "load", "-o", "load.html")
        assert (tmp_path / "load.html").read_text().count("<polygon") == 4
        forecast("schedule", "--once")
        assert "nothing is due" in forecast("refresh", "--due")
        client.close()
    gone = run("forecast", "refresh", "--due", folder=tmp_path, env=env)
    assert gone.returncode != 0
