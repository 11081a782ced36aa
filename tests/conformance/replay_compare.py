"""When an answer is the recorded one: status, content type and body, but for what changes from run to run."""

from __future__ import annotations

import json
import re
from typing import Any

_VOLATILE = (
    (re.compile(r"(transient_\w+?)_\d{6,}(_1\d{12}\b)?", re.IGNORECASE), r"\1_N"),
    (re.compile(r"query_\d{13}\b"), "query_N"),
    (re.compile(r"\b1(79|8\d)\d{10}\b"), "1790000000000"),
    (re.compile(r"202[6-9]/\d\d/\d\d \d\d:\d\d:\d\d\.\d{3} Z"), "NOW"),
    (re.compile(r"ksqlRefClusterAAAAAAAA|ksqlkitEmbeddedCluster"), "CLUSTER"),
    (re.compile(r'"commandSequenceNumber":\d+'), '"commandSequenceNumber":0'),
    (re.compile(r'("version":\d+,"id":)\d+'), r"\g<1>0"),  # of schemas
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
    "queryOffsetSummaries",
    "topicSummaries",
    "tasksMetadata",
    "sources",
)


_METRICS = ("statistics", "errorStats", "clusterStatistics", "clusterErrorStats")


class _Digits(str):
    """A number as it was written."""


def difference(exchange: dict[str, Any], answer: Any) -> str | None:
    """None when the answer agrees, else what differs."""
    if exchange["status"] is None:
        return None
    if isinstance(answer, Exception):
        return f"{type(answer).__name__}: {answer}"
    if exchange["status"] == 500 and 400 <= answer.status < 500:
        return None  # where ksqlDB fails, ours says what is wrong with the request
    if answer.status != exchange["status"]:
        bodies = f"\n  ours: {answer.body[:900]}\n  real: {(exchange['body'] or '')[:900]}"
        return f"status {answer.status}, recorded {exchange['status']}{bodies}"
    wanted = next(
        (h.split(": ", 1)[1] for h in exchange["resp_headers"] if h.lower().startswith("content-type:")), None
    )
    if answer.content_type != wanted:
        return f"content type {answer.content_type}, recorded {wanted}"
    ours, theirs = normal(answer.body), normal(exchange["body"] or "")
    if ours == theirs:
        return None
    have, want = _parsed(ours), _parsed(theirs)
    if "EMIT" in (exchange["req_body"] or "") or re.search(r"SELECT.*LIMIT", exchange["req_body"] or ""):
        have, want = _kinds_of_rows(have), _kinds_of_rows(want)
    place = _first_difference(want, have, "body")
    return None if place is None else f"{place}"


def normal(body: str) -> str:
    """The text with what changes from run to run made the same."""
    for pattern, replacement in _VOLATILE:
        body = pattern.sub(replacement, body)
    return body


def _parsed(body: str) -> Any:
    """A JSON value, or a list of the lines' values; rows of a query in a fixed order."""
    found = _value(body)
    if isinstance(found, list) and any(
        isinstance(e, dict) and e.get("@type") == "describe_function" for e in found
    ):
        found = _without_descriptions(found)
    if isinstance(found, list) and len(found) > 1 and _is_head(found[0]):
        return [found[0], *sorted(found[1:], key=repr)]
    return _sorted_lists(found)


def _without_descriptions(value: Any) -> Any:
    """What functions do is told in our own words."""
    if isinstance(value, dict):
        return {key: _without_descriptions(v) for key, v in value.items() if key != "description"}
    return [_without_descriptions(v) for v in value] if isinstance(value, list) else value


def _value(body: str) -> Any:
    for text in (body, body.rstrip().removesuffix(",") + "]"):  # a stream that was left open
        try:
            return _loads(text)
        except ValueError:
            continue
    return [_line(line) for line in body.splitlines() if line]


def _kinds_of_rows(body: Any) -> Any:
    """With each value of a row replaced by its kind: of several partitions, which rows come first is chance."""
    if not isinstance(body, list) or not body or not _is_head(body[0]):
        return body
    return [body[0], *sorted((_kind(row) for row in body[1:]), key=repr)]


def _kind(value: Any) -> Any:
    if isinstance(value, dict) and "finalMessage" not in value:
        return {k: _kind(v) for k, v in value.items()} if "row" in value or "columns" in value else "object"
    if isinstance(value, list):
        return [_kind(v) if not isinstance(v, list | dict) else "value" for v in value]
    return value if isinstance(value, dict) else "value"


def _line(line: str) -> Any:
    try:
        return _loads(line.removesuffix(","))
    except ValueError:
        return line


def _loads(text: str) -> Any:
    return json.loads(text, parse_float=_Digits, parse_int=_Digits)


def _is_head(value: Any) -> bool:
    if isinstance(value, str):  # the first message of a websocket
        return value.startswith('[TEXT] [{"name"')
    return isinstance(value, dict) and ("header" in value or "columnNames" in value)


def _sorted_lists(value: Any) -> Any:
    if isinstance(value, dict):
        value = {k: None if k in _METRICS else v for k, v in value.items()}
        return {
            k: sorted(map(_sorted_lists, v), key=_by_name)
            if k in _UNORDERED and isinstance(v, list)
            else _sorted_lists(v)
            for k, v in value.items()
        }
    return [_sorted_lists(v) for v in value] if isinstance(value, list) else value


def _by_name(value: Any) -> tuple[str, str]:
    names = (value.get(key) for key in ("name", "id", "groupId", "taskId")) if isinstance(value, dict) else ()
    return str(next((name for name in names if name is not None), "")), repr(value)


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
