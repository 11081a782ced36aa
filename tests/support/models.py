"""Toy models for tests."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from udf_server.models.store import ModelStore


def linear_model(store: ModelStore, name: str, weights: Sequence[float], **more: Any) -> int:
    """Publish a logistic model of features X0, X1, ...; returns its version."""
    out = io.BytesIO()
    size = len(weights)
    np.savez(out, weights=np.array(weights), intercept=np.array(0.0), means=np.zeros(size))
    features = [f"X{i}" for i in range(size)]
    return store.publish(
        name, out.getvalue(), kind="linear", file="model.npz", features=features, **more
    ).version
