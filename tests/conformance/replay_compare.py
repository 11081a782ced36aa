"""When an answer is the recorded one: status, content type and body, but for what changes from run to run."""

from __future__ import annotations

import json
import re
from typing import Any

_VOLATILE = (
    (re.compile(r"(transient_\w+?)_\d{6,}", re.IGNORECASE), r"\1_N"),
    (re.compile(r"query_\d{13}"), "query_N"),
    (re.compile(r"\b1(79|8\d)\d{10}\b"), "1790000000000"),
    (re.compile(r"202[6-9]/\d\d/\d\d \d\d:\d\d:\d\d\.\d{3} Z"), "NOW"),
    (re.compile(r"ksqlRefClusterAAAAAAAA|ksqlkitEmbeddedCluster"), "CLUSTER"),
    (re.compile(r"\[[0-9.]+ (TEXT|CLOSE)\]"), r"[\1]"),
    # the position and Java class in messages about JSON are Jackson's own
    (re.compile(r"(Invalid JSON in request)[^\"\\]*(\\.[^\"\\]*)*"), r"\1"),
)
_UNORDERED = (
    "streams",
    "tables",
    "topics",
    "queries",
    "functions",
    "properties",
    "sourceDescriptions",
    "queryDescriptions",
    "readQueries",
    "writeQueries",
)


class _Digits(str):
    """A number as it was written."""


def difference(exchange: dict[str, Any], answer: Any) -> str | None:
    """None when the answer agrees, else what differs."""
    if exchange["status"] is None:
        return None
    if isinstance(answer, Exception):
        return f"{type(answer).__name__}: {answer}"
    if answer.status != exchange["status"]:
        return f"status {answer.status}, recorded {exchange['status']}\n  ours: {answer.body[:900]}\n  real: {(exchange['body'] or '')[:900]}"
    wanted = next(
        (h.split(": ", 1)[1] for h in exchange["resp_headers"] if h.lower().startswith("content-type:")), None
    )
    if answer.content_type != wanted:
        return f"content type {answer.content_type}, recorded {wanted}"
    ours, theirs = _normal(answer.body), _normal(exchange["body"] or "")
    if ours == theirs:
        return None
    have, want = _parsed(ours), _parsed(theirs)
    place = _first_difference(want, have, "body")
    return None if place is None else f"{place}"


def _normal(body: str) -> str:
    for pattern, replacement in _VOLATILE:
        body = pattern.sub(replacement, body)
    return body


def _parsed(body: str) -> Any:
    """A JSON value, or a list of the lines' values; rows of a query in a fixed order."""
    try:
        found = _loads(body)
    except ValueError:
        found = [_line(line) for line in body.splitlines() if line]
    if isinstance(found, list) and len(found) > 1 and _is_head(found[0]):
        return [found[0], *sorted(found[1:], key=repr)]
    return _sorted_lists(found)


def _line(line: str) -> Any:
    try:
        return _loads(line.removesuffix(","))
    except ValueError:
        return line


def _loads(text: str) -> Any:
    return json.loads(text, parse_float=_Digits, parse_int=_Digits)


def _is_head(value: Any) -> bool:
    return isinstance(value, dict) and ("header" in value or "columnNames" in value)


def _sorted_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            k: sorted(map(_sorted_lists, v), key=repr)
            if k in _UNORDERED and isinstance(v, list)
            else _sorted_lists(v)
            for k, v in value.items()
        }
    return [_sorted_lists(v) for v in value] if isinstance(value, list) else value


def _first_difference(want: Any, have: Any, place: str) -> str | None:
    if isinstance(want, dict) and isinstance(have, dict):
        if list(want) != list(have) and set(want) != set(have):
            return f"{place}: members {sorted(have)}, recorded {sorted(want)}"
        for key in want:
            if (found := _first_difference(want[key], have[key], f"{place}.{key}")) is not None:
                return found
        return None
    if isinstance(want, list) and isinstance(have, list):
        for number, (w, h) in enumerate(zip(want, have, strict=False)):
            if (found := _first_difference(w, h, f"{place}[{number}]")) is not None:
                return found
        if len(want) != len(have):
            return f"{place}: {len(have)} entries, recorded {len(want)}\n  ours: {have}\n  real: {want}"[
                :1500
            ]
        return None
    if type(want) is type(have) and want == have:
        return None
    return f"{place}:\n  ours: {have!r}\n  real: {want!r}"
