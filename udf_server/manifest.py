"""The manifest: what functions there are, for catalogs, docs and bridges, with an ETag that changes when it
does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from udf_server.catalog import Catalog
from udf_server.function import Function
from udf_server.models.live import LiveModels
from udf_server.portable.functions import answer_of
from udf_server.sqltype import SqlType, detail_type

DETAIL: Final = "_DETAIL"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest as sent: `body` is JSON, `etag` its quoted digest."""

    body: bytes
    etag: str


def build(catalog: Catalog, models: LiveModels) -> Manifest:
    """The manifest of what is loaded now, broken files and models named under `errors`."""
    entries = [
        entry
        for _, found in sorted(catalog.functions.items())
        for entry in _entries(found, models.serving(found.model) if found.model else None)
    ]
    errors = [{"source": s, "message": m} for s, m in sorted({**catalog.errors, **models.errors}.items())]
    body = orjson.dumps({"functions": entries, "errors": errors})
    return Manifest(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _entries(found: Function, model_version: int | None) -> Iterator[dict[str, Any]]:
    common = {
        "version": found.version,
        "nulls": found.nulls,
        "batch_limit": found.batch_limit,
        "timeout_ms": round(found.timeout * 1000),
        "on_failure": found.on_failure,
        "default": found.default,
        "model": found.model,
        "model_version": model_version,
        "portable": answer_of(found),
        "origin": found.origin,
    }
    yield {
        "name": found.name,
        "description": found.description,
        "example": found.example,
        "overloads": [
            _overload(o.signature.arguments, o.signature.variadic, o.signature.returns)
            for o in found.overloads
        ],
        "deterministic": found.deterministic,
        "detail_of": None,
        **common,
    }
    yield {
        "name": found.name + DETAIL,
        "description": f"{found.name} with its status, model, version, time, reason and attributions.",
        "example": "",
        "overloads": [
            _overload(o.signature.arguments, o.signature.variadic, detail_type(o.signature.returns))
            for o in found.overloads
        ],
        "deterministic": False,
        "detail_of": found.name,
        **common,
    }


def _overload(arguments: tuple[tuple[str, SqlType], ...], variadic: bool, returns: SqlType) -> dict[str, Any]:
    return {
        "args": [{"name": n.upper(), "type": str(t)} for n, t in arguments],
        "variadic": variadic,
        "returns": str(returns),
    }
