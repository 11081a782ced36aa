"""Runs become visible whole, by one record, and go the same way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from forecasts.publish import current_rows, publish, read_status
from forecasts.refresh import OK, TOO_SHORT, SeriesForecast, read_panel
from forecasts.spec import Spec
from ksqlkit.client.embedded import EmbeddedClient
from ksqlkit.errors import DataError, ProjectError, ServerError

HOUR = 3_600_000
SPEC = Spec("f", "S", ("K",), "V", "T", time="T0", horizon=3)
SOURCE = (
    "CREATE TABLE S (K STRING PRIMARY KEY, T0 BIGINT PRIMARY KEY, V DOUBLE) WITH "
    "(KAFKA_TOPIC='s', KEY_FORMAT='JSON', VALUE_FORMAT='JSON', PARTITIONS=1);"
)


@pytest.fixture
def client() -> Iterator[EmbeddedClient]:
    made = EmbeddedClient.open(":memory:")
    made.execute(SOURCE)
    yield made
    made.close()


def result(name: str, steps: int, mean: float = 1.0, start: int = HOUR) -> SeriesForecast:
    if not steps:
        return SeriesForecast((name,), TOO_SHORT, "2 steps, 20 are needed", start, HOUR)
    line = (mean,) * steps
    bounds = {80: (line, line), 95: (line, line)}
    return SeriesForecast((name,), OK, "", start, HOUR, "theta", 0.5, 1.0, line, bounds)


def test_a_run_replaces_the_one_before_it_whole(client: EmbeddedClient) -> None:
    assert publish(client, SPEC, [result("a", 3), result("b", 0)], now=1, run_id="r1") == 4
    assert publish(client, SPEC, [result("a", 2, 7.0), result("b", 2)], now=2, run_id="r2") == 4
    rows = current_rows(client, SPEC)
    assert {row["RUN_ID"] for row in rows} == {"r2"}
    assert sorted((r["K"], r["STEP"]) for r in rows) == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert {r["VERSION"] for r in rows} == {2}
    assert len(client.query("SELECT * FROM T_LATEST;").rows) == 2
    status = read_status(client, SPEC)
    assert status is not None
    assert (status["CURRENT_RUN"], status["SERIES"], status["FAILED"]) == ("r2", 2, 0)


def test_a_series_without_a_forecast_says_why(client: EmbeddedClient) -> None:
    publish(client, SPEC, [result("b", 0)], now=1, run_id="r1")
    [row] = client.query("SELECT * FROM T WHERE K = 'b';").dicts()
    assert (row["STATUS"], row["STEP"], row["MEAN"]) == (TOO_SHORT, 0, None)
    assert "20 are needed" in row["REASON"]


def test_a_server_that_stops_in_between_leaves_the_run_before(client: EmbeddedClient) -> None:
    publish(client, SPEC, [result("a", 3)], now=1, run_id="r1")
    insert = client.insert

    class Stopping:
        def __getattr__(self, name: str) -> Any:
            return getattr(client, name)

        def insert(self, target: str, rows: Iterable[Mapping[str, Any]]) -> int:
            if target.endswith("RUNS"):
                raise ServerError("gone")
            return insert(target, rows)

    with pytest.raises(ServerError):
        publish(Stopping(), SPEC, [result("a", 2, 9.0)], now=2, run_id="r2")  # type: ignore[arg-type]
    assert [(r["RUN_ID"], r["MEAN"]) for r in current_rows(client, SPEC)] == [("r1", 1.0)] * 3


def test_some_series_may_be_refreshed_alone(client: EmbeddedClient) -> None:
    publish(client, SPEC, [result("a", 2), result("b", 2)], now=1, run_id="r1")
    publish(client, SPEC, [result("a", 2, 5.0)], now=2, run_id="r2", others=True)
    assert sorted((r["K"], r["MEAN"]) for r in current_rows(client, SPEC)) == [
        ("a", 5.0),
        ("a", 5.0),
        ("b", 1.0),
        ("b", 1.0),
    ]


def test_a_source_that_is_gone_or_changed_is_named(client: EmbeddedClient) -> None:
    with pytest.raises(ProjectError, match="NONE"):
        publish(client, Spec("f", "NONE", ("K",), "V", "T"), [], now=1, run_id="r")
    with pytest.raises(ProjectError, match="no column W"):
        publish(client, Spec("f", "S", ("K",), "W", "T"), [], now=1, run_id="r")
    with pytest.raises(ProjectError, match="no column NOPE"):
        publish(client, replace(SPEC, lagged=("NOPE",)), [], now=1, run_id="r")
    with pytest.raises(ProjectError, match="K is STRING, and no number"):
        publish(client, replace(SPEC, value="K"), [], now=1, run_id="r")
    with pytest.raises(ProjectError, match="NOPE"):
        read_panel(client, replace(SPEC, where="NOPE = 1"))
    with pytest.raises(ProjectError, match="K is STRING, not BIGINT"):
        publish(client, Spec("f", "S", ("K",), "V", "T", types=("BIGINT",)), [], now=1, run_id="r")


def test_tables_of_another_shape_are_not_written_to(client: EmbeddedClient) -> None:
    publish(client, SPEC, [result("a", 3)], now=1, run_id="r1")
    with pytest.raises(ProjectError, match="HI_90, LO_90, no HI_95, no LO_95") as caught:
        publish(client, replace(SPEC, levels=(80, 90)), [result("a", 2)], now=2, run_id="r2")
    assert "apply --replace" in str(caught.value.hint)
    assert {row["RUN_ID"] for row in current_rows(client, SPEC)} == {"r1"}


def test_a_step_longer_than_the_rows_distance_is_refused(client: EmbeddedClient) -> None:
    client.insert("S", [{"K": "a", "T0": h * HOUR, "V": 1.0} for h in range(48)])
    client.execute("CREATE TABLE Q AS SELECT * FROM S;", properties={"auto.offset.reset": "earliest"})
    spec = replace(SPEC, source="Q", frequency="day")
    with pytest.raises(DataError, match="share a step of day"):
        read_panel(client, spec)
    assert read_panel(client, replace(spec, frequency="hour"))[0].lengths == (48,)
