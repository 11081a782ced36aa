"""The OpenAPI document and a plain page of the functions, both from the manifest."""

from __future__ import annotations

import re
from html import escape
from typing import Any, Final

from ksqlkit import __version__
from udf_server.sqltype import shown

_STATUSES: Final = {
    "400": "malformed",
    "401": "no valid token",
    "403": "not this function",
    "404": "unknown function or version",
    "413": "over 10,000 rows or 8 MiB",
    "415": "neither JSON nor Arrow",
    "429": "overloaded; see Retry-After",
    "503": "draining or not ready",
}
_BATCH: Final = {
    "type": "object",
    "required": ["data"],
    "properties": {"data": {"type": "array", "items": {"type": "array"}, "maxItems": 10_000}},
}
_ANSWER: Final = {
    "type": "object",
    "properties": {
        "data": {"type": "array", "items": {"type": "array"}},
        "errors": {"type": "array", "items": {"type": "array"}},
        "model": {"type": ["string", "null"]},
        "version": {"type": "integer"},
    },
}
_HEADERS: Final = [
    {"name": n, "in": "header", "required": False, "schema": {"type": t}, "description": d}
    for n, t, d in (
        ("X-Deadline-Ms", "integer", "milliseconds left; rows not scored by then get TIMEOUT"),
        ("Idempotency-Key", "string", "a repeated call with this key gets the first answer"),
        ("traceparent", "string", "W3C trace context"),
    )
]


_OUTCOMES: Final = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "version": {"type": "integer", "description": "by default the live one"},
        "data": {
            "type": "array",
            "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
            "maxItems": 10_000,
            "description": "a score that the model gave, and the label that turned out to be true",
        },
    },
}


def _parameter(name: str, text: str, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": kind}, "description": text}


def openapi(manifest: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.1 of the whole server, one path per function."""
    errors = {code: {"description": text} for code, text in _STATUSES.items()}

    def posted(operation: str, text: str, body: Any, answer: Any, parameters: list[Any]) -> dict[str, Any]:
        return {
            "post": {
                "summary": text,
                "operationId": operation,
                "parameters": parameters,
                "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
                "responses": {"200": _ok(answer), **errors},
            }
        }

    paths: dict[str, Any] = {
        f"/v1/functions/{f['name']}:batch": posted(f["name"], f["description"], _BATCH, _ANSWER, _HEADERS)
        for f in manifest["functions"]
    }
    pinned = [
        _parameter("name", "a function"),
        _parameter("version", "of its model, else its own", "integer"),
    ]
    paths["/v1/functions/{name}@{version}:batch"] = posted(
        "pinned", "A call of one version", _BATCH, _ANSWER, [*pinned, *_HEADERS]
    )
    several = {"type": "array", "items": {"type": "object"}}
    paths["/v1/batch"] = posted(
        "batch", "Several calls in one", several, {"type": "array", "items": _ANSWER}, _HEADERS
    )
    taken = {"type": "object", "properties": {"taken": {"type": "integer"}}}
    paths["/v1/models/{name}/outcomes"] = posted(
        "outcomes",
        "What turned out to be true, however late",
        _OUTCOMES,
        taken,
        [_parameter("name", "a model")],
    )
    paths["/v1/models/{name}/versions/{version}/portable"] = {
        "get": {
            "summary": "A model's numbers and test vectors, for whoever walks it; answers 304 to a current "
            "If-None-Match. The ETag is the SHA-256 of its second line.",
            "operationId": "portable",
            "parameters": [_parameter("name", "a model"), _parameter("version", "a number, or live")],
            "responses": {
                "200": {"description": "two lines of JSON", "content": {"application/x-ndjson": {}}},
                "304": {"description": "unchanged"},
                "401": {"description": "no valid token"},
                "403": {"description": "a token for other functions"},
                "404": {"description": "unknown model or version"},
                "406": {"description": "a model of a kind that has no portable form"},
                "503": {"description": "the model does not load"},
            },
        }
    }
    for path, text in (
        ("/v1/functions", "The manifest; answers 304 to a current If-None-Match"),
        ("/livez", "Whether the process runs"),
        ("/readyz", "Whether every model is warm"),
        ("/metrics", "Prometheus metrics"),
        ("/openapi.json", "This document"),
        ("/docs", "A page of the functions"),
    ):
        paths[path] = {"get": {"summary": text, "responses": {"200": {"description": "OK"}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "ksqlkit scoring server", "version": __version__},
        "paths": paths,
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }


_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
a{color:#0b57b0}.bad{color:#a3000a}pre,code{font:14px/1.5 ui-monospace,monospace;background:#f3f4f6}
pre{padding:.6rem;white-space:pre-wrap;overflow-wrap:anywhere}h2{margin:2.5rem 0 .5rem}
h3{margin:1rem 0 0;font-size:1rem}
pre span{display:block;padding-left:2ch;text-indent:-2ch}h2,p{overflow-wrap:anywhere}
h2 a{color:inherit;text-decoration:none}h2 a:hover{text-decoration:underline}
nav ul{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.4rem 1.2rem}.note{font-size:.9rem}
@media print{nav{display:none}section{break-inside:avoid}}
@media screen and (prefers-color-scheme:dark){
body{color:#ddd;background:#16181d}a{color:#8ab8ff}.bad{color:#ff9b9b}pre,code{background:#24272e}}
"""


def docs_page(manifest: dict[str, Any]) -> str:
    """A page of the functions, with no script and nothing from elsewhere."""
    links, cards = [], []
    for f in manifest["functions"]:
        if f["detail_of"]:
            continue
        name = escape(f["name"])
        lines = "".join(f"<span>{escape(_signature(f['name'], o))}\n</span>" for o in f["overloads"])
        example = f"<h3>Example</h3><pre>{escape(f['example'])}</pre>" if f["example"] else ""
        model = f"model {f['model']} version {f['model_version']}, " if f["model"] else ""
        note = escape(
            f"{model}up to {f['batch_limit']} rows a batch, {f['timeout_ms']} ms; also {f['name']}_DETAIL"
        )
        links.append(f"<li><a href='#{name}'>{name}</a></li>")
        cards.append(
            f"<section id='{name}'><h2><a href='#{name}'>{name}</a></h2><p>{_prose(f['description'])}</p>"
            f"<pre>{lines}</pre>{example}<p class=note>{note}</p></section>"
        )
    broken = "".join(
        f"<p class=bad><strong>Not loaded:</strong> {escape(e['source'])}: {escape(e['message'])}</p>"
        for e in manifest["errors"]
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Scoring server</title>"
        "<meta name=viewport content='width=device-width'><meta name=color-scheme content='light dark'>"
        "<link rel=icon href='data:,'>"
        f"<style>{_STYLE}</style><main><h1>Scoring server</h1>"
        f"<p>The whole API: <a href=/openapi.json>openapi.json</a>.</p>{broken}"
        f"<nav aria-label=Functions><ul>{''.join(links)}</ul></nav>{''.join(cards)}</main></html>"
    )


def _prose(text: str) -> str:
    """Text as HTML; what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _signature(name: str, overload: dict[str, Any]) -> str:
    arguments = ", ".join(f"{a['name']} {shown(a['type'])}" for a in overload["args"])
    return f"{name}({arguments}{'...' if overload['variadic'] else ''}) -> {overload['returns']}"


def _ok(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "answered row by row", "content": {"application/json": {"schema": schema}}}
