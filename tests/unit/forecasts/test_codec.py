"""Kept fits: the same forecasts after reading, of old and new histories; anything else in the file is no fit."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forecasts import codec
from forecasts.fitting import Fit, fit_panel
from forecasts.models.base import NAMES
from forecasts.series import Panel
from forecasts.spec import Spec
from forecasts.store import Store

HOUR, SEASON = 3_600_000, 12
SLOW = ("sarimax", "unobserved")
MODELS = [
    pytest.param(m, marks=pytest.mark.slow) if m in SLOW else m for m in (*NAMES, "stl+theta", "stl+xgboost")
]


def panel(length: int = 120) -> Panel:
    time = np.arange(length)
    values = np.stack([20 + 8 * np.sin(np.pi * time / 6) + time % 5, 50 + time % 7.0 + time / 9])
    return Panel((("a", 1), ("b", None)), values, ((length - 1) * HOUR,) * 2, (length,) * 2, HOUR)


def fitted(model: str) -> Fit:
    spec = Spec("f", "S", ("K", "L"), "V", "T", seasons=(SEASON,), horizon=6, models=(model,), folds=2)
    return fit_panel(panel(), spec)


@pytest.mark.parametrize("model", MODELS)
def test_a_kept_fit_forecasts_as_before(model: str) -> None:
    fit = fitted(model)
    # every model counts, whatever the backtest said
    fit.ensemble.weights[:] = 1 / len(fit.ensemble.weights)
    read = codec.loads(codec.dumps([fit]))[0]
    assert isinstance(read, Fit)
    assert (read.ids, read.names, read.covered) == (fit.ids, fit.names, fit.covered)
    for length in (120, 121, 125):
        assert np.array_equal(read.forecast(panel(length)), fit.forecast(panel(length)))
    for level, (low, high) in fit.bands.around(fit.forecast(panel(125))).items():
        assert np.array_equal(read.bands.around(read.forecast(panel(125)))[level], (low, high))


def test_keys_of_every_type_are_kept() -> None:
    ids = (("a", 2**62, 1.5, True, None, Decimal("1.10")), ("ö\n", -1, float("inf"), False, "", Decimal(0)))
    assert codec.loads(codec.dumps(ids)) == ids
    with pytest.raises(TypeError, match="object"):
        codec.dumps(object())


def test_whatever_byte_is_wrong_nothing_is_read() -> None:
    data = codec.dumps({"a": np.arange(5.0)})
    rng = np.random.default_rng(2)
    for at in rng.integers(0, len(data), 60):
        bad = bytearray(data)
        bad[at] ^= 1 << int(rng.integers(8))
        with pytest.raises(codec.Unreadable):
            codec.loads(bytes(bad))
    for length in (0, 5, 40, len(data) - 1):
        with pytest.raises(codec.Unreadable):
            codec.loads(data[:length])


def sealed(**arrays: Any) -> bytes:
    """A file with the right checksum around arrays that a stranger chose."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    body = file.getvalue()
    return b"ksqlkit fits %d\n" % codec.VERSION + hashlib.sha256(body).digest() + body


class Trap:
    """What a pickle would run."""

    def __reduce__(self) -> Any:
        return os._exit, (1,)


@pytest.mark.parametrize(
    "tree",
    [
        b'{"class": "Path", "fields": {}}',
        b'{"class": "Fit", "fields": {}}',
        b'{"class": "Series", "fields": {"params": 1, "end": 0, "mean": 0}}',
        b'{"array": "nowhere"}',
        b'{"booster": {"array": "a0"}}',
        b'{"decimal": "x"}',
        b'{"eval": "1"}',
        b"[" * 5000,
        b"[1, 2]",
    ],
)
def test_a_strangers_file_makes_nothing_else(tree: bytes) -> None:
    with pytest.raises(codec.Unreadable):
        codec.loads(sealed(tree=np.frombuffer(tree, np.uint8), a0=np.zeros(9, np.uint8)))


def test_pickles_are_never_read(tmp_path: Path) -> None:
    spec = Spec("f", "S", ("K", "L"), "V", "T")
    for data in (pickle.dumps(Trap()), sealed(tree=np.array([Trap()], dtype=object))):
        (tmp_path / "f.fit").write_bytes(data)
        assert Store(tmp_path).load_fits(spec) == []
        with pytest.raises(codec.Unreadable):
            codec.loads(data)


def test_the_store_keeps_fits_of_one_spec(tmp_path: Path) -> None:
    store, fit = Store(tmp_path), fitted("theta")
    spec = Spec("f", "S", ("K", "L"), "V", "T")
    assert store.load_fits(spec) == []
    store.save_fits(spec, [fit])
    [kept] = store.load_fits(spec)
    assert np.array_equal(kept.forecast(panel(123)), fit.forecast(panel(123)))
    assert store.load_fits(Spec("f", "OTHER", ("K", "L"), "V", "T")) == []
    assert [p.name for p in tmp_path.glob("*.partial")] == []
