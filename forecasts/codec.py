"""Fits as bytes and back, as data alone: a tree in JSON and the arrays it names, versioned and with a checksum.

Reading makes nothing but the dataclasses listed here, numbers, texts and arrays; no code of a file is ever run.
Whatever cannot be read is `Unreadable`, and is then fitted anew.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from dataclasses import fields, is_dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

VERSION = 1  # of the format and of the classes' fields; another one is not read
_MAGIC = b"ksqlkit fits %d\n"
_SCALARS = (str, int, float, bool, type(None))
_TREE = "tree"


class Unreadable(Exception):
    """Bytes that are no fits of this version, whole."""


@cache
def _classes() -> dict[str, type]:
    """What may be kept, by name."""
    from forecasts.backtest import Ensemble
    from forecasts.fitting import Fit
    from forecasts.intervals import Bands
    from forecasts.models import direct, gbm, gbm_features, linear, naive, smoothing, statistical, stl
    from forecasts.models.base import Scaled
    from forecasts.transform import Transform

    found = (
        Fit, Ensemble, Scaled, Transform, Bands, naive.SeasonalNaive, linear.Autoregression,
        direct.Direct, gbm.Boosted, gbm_features.Layout, smoothing.Smoothing, smoothing.State,
        smoothing.SmoothingFitted, statistical.Series, statistical.StateSpace, stl.Stl,
    )  # fmt: skip
    return {c.__name__: c for c in found}


def dumps(value: Any) -> bytes:
    """Bytes of nested lists, tuples, dicts, arrays and what `_classes` lists. Raises TypeError for anything else."""
    import numpy as np

    arrays: dict[str, Any] = {}
    tree = json.dumps(_flatten(value, arrays)).encode()
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **{_TREE: np.frombuffer(tree, np.uint8), **arrays})
    body = file.getvalue()
    return _MAGIC % VERSION + hashlib.sha256(body).digest() + body


def loads(data: bytes) -> Any:
    """The reverse of `dumps`. Raises Unreadable."""
    import numpy as np

    magic = _MAGIC % VERSION
    if not data.startswith(magic):
        raise Unreadable("another format or version")
    start = len(magic) + hashlib.sha256().digest_size
    body = data[start:]
    if hashlib.sha256(body).digest() != data[len(magic) : start]:
        raise Unreadable("the checksum is wrong")
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as file:
            if any(info.compress_type != zipfile.ZIP_STORED for info in file.zip.infolist()):
                raise Unreadable("compressed")
            arrays = {name: file[name] for name in file.files}
        return _build(json.loads(arrays.pop(_TREE).tobytes()), arrays)
    except (
        MemoryError, ValueError, TypeError, KeyError, AttributeError, IndexError, OSError, EOFError, RecursionError,
        InvalidOperation, struct.error, zipfile.BadZipFile, zlib.error,
    ) as exc:  # fmt: skip
        raise Unreadable(f"{type(exc).__name__}: {exc}") from None


def _flatten(value: Any, arrays: dict[str, Any]) -> Any:
    import numpy as np

    if isinstance(value, np.ndarray):
        name = f"a{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, np.generic):
        return _flatten(value.item(), arrays)
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_flatten(v, arrays) for v in value]}
    if isinstance(value, dict):
        return {"dict": [[_flatten(k, arrays), _flatten(v, arrays)] for k, v in value.items()]}
    if hasattr(value, "save_raw"):
        raw = np.frombuffer(bytes(value.save_raw("ubj")), np.uint8)
        return {"booster": _flatten(raw, arrays)}
    name = type(value).__name__
    if is_dataclass(value) and _classes().get(name) is type(value):
        return {
            "class": name,
            "fields": {f.name: _flatten(getattr(value, f.name), arrays) for f in fields(value)},
        }
    raise TypeError(f"{name} cannot be kept")


def _build(tree: Any, arrays: dict[str, Any]) -> Any:
    if isinstance(tree, _SCALARS):
        return tree
    if "class" in tree:
        made = _classes()[tree["class"]]
        if set(tree["fields"]) != {f.name for f in fields(made)}:
            raise Unreadable(f"other fields of {made.__name__}")
        return made(**{k: _build(v, arrays) for k, v in tree["fields"].items()})
    [(kind, inner)] = tree.items()
    if kind == "array":
        return arrays[inner]
    if kind == "decimal":
        return Decimal(inner)
    if kind == "booster":
        return _booster(_build(inner, arrays))
    if kind == "dict":
        return {_build(k, arrays): _build(v, arrays) for k, v in inner}
    parts = [_build(v, arrays) for v in inner]
    return {"list": parts, "tuple": tuple(parts)}[kind]


def _booster(raw: Any) -> Any:
    from ksqlkit.imports import import_xgboost

    xgb = import_xgboost()
    made = xgb.Booster({"nthread": 1})
    try:
        made.load_model(bytearray(raw.tobytes()))
    except xgb.core.XGBoostError as exc:
        raise Unreadable(str(exc).splitlines()[0]) from None
    return made
