"""Regressors: known ahead, lagged, the calendar; and a model that uses them."""

from collections.abc import Iterator

import numpy as np
import pytest

from forecasts.models.base import find_model
from forecasts.refresh import read_panel
from forecasts.regressors import with_regressors
from forecasts.series import Panel
from forecasts.spec import Spec
from ksqlkit.client.embedded import EmbeddedClient

HOUR = 3_600_000
HORIZON = 6
SPEC = Spec("f", "S", ("K",), "V", "T", time="T0", horizon=HORIZON, regressors=("PROMO",), lagged=("TEMP",))


def promo(hour: int) -> float:
    return float(hour % 11 == 0 or hour % 7 == 3)


@pytest.fixture
def client() -> Iterator[EmbeddedClient]:
    made = EmbeddedClient.open(":memory:")
    made.execute(
        "CREATE TABLE S0 (K STRING PRIMARY KEY, T0 BIGINT PRIMARY KEY, V DOUBLE, PROMO DOUBLE, TEMP DOUBLE) WITH "
        "(KAFKA_TOPIC='s', KEY_FORMAT='JSON', VALUE_FORMAT='JSON', PARTITIONS=1);"
        "CREATE TABLE S AS SELECT * FROM S0;",
        properties={"auto.offset.reset": "earliest"},
    )
    yield made
    made.close()


def test_rows_without_a_value_tell_what_comes(client: EmbeddedClient) -> None:
    rows = [
        {"K": "a", "T0": h * HOUR, "V": 5.0 + h % 3, "PROMO": promo(h), "TEMP": float(h)} for h in range(100)
    ]
    rows += [{"K": "a", "T0": h * HOUR, "V": None, "PROMO": promo(h), "TEMP": None} for h in range(100, 106)]
    client.insert("S0", rows)
    panel, failed = read_panel(client, SPEC, now=99 * HOUR)
    assert failed == []
    assert panel.values.shape == (1, 100)
    ahead, lagged = panel.known
    assert ahead.shape == lagged.shape == (1, 106)
    assert np.corrcoef(ahead[0], [promo(h) for h in range(106)])[0, 1] == pytest.approx(1.0)
    assert np.corrcoef(lagged[0, HORIZON:], np.arange(100))[0, 1] == pytest.approx(1.0)


def test_the_calendar() -> None:
    panel = Panel((("a",),), np.zeros((1, 48)), (47 * HOUR,), (48,), HOUR)
    spec = Spec("f", "S", ("K",), "V", "T", horizon=4, calendar=("hour", "weekday", "weekend", "month"))
    hour, weekday, weekend, month = with_regressors(panel, spec, ()).known
    assert (hour[0] * 23).round().astype(int).tolist() == [h % 24 for h in range(52)]
    assert weekday[0, 0] == pytest.approx(3 / 6)
    assert weekend[0].tolist() == [0.0] * 48 + [1.0] * 4, "2 January 1970 was a Friday"
    assert month.max() == 0


@pytest.mark.parametrize("model", ["xgboost", pytest.param("sarimax", marks=pytest.mark.slow)])
def test_a_model_follows_a_regressor(model: str) -> None:
    rng = np.random.default_rng(2)
    hours = range(400 + HORIZON)
    flags = np.array([promo(h) for h in hours])
    values = 20 + 10 * flags + rng.normal(0, 0.3, len(flags))
    panel = Panel((("a",),), values[None, :400], (399 * HOUR,), (400,), HOUR, (flags[None],))
    result = find_model(model).fit(panel, HORIZON, (1,))(panel)
    assert np.abs(result[0] - values[400:]).mean() < 3.0
    assert 0 < flags[400:].sum() < HORIZON
