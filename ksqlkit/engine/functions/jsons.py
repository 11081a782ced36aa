"""JSON functions over strings that hold JSON."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from ksqlkit.dialect import types as T
from ksqlkit.engine.functions import json_text
from ksqlkit.engine.functions.contract import ArgType
from ksqlkit.engine.functions.define import Family
from ksqlkit.engine.functions.utf16 import units
from ksqlkit.errors import DataError

jsons = Family("JSON")


def _text(node: Any) -> str:
    """A node as a string: a JSON string by its content, others as JSON."""
    if isinstance(node, str):
        return node
    return "" if node is json_text.MISSING else json_text.dump(node, plain=False)


@lru_cache(maxsize=1024)
def json_path(path: str) -> tuple[str, ...]:
    """The steps of a path such as $.a["b"][0]. Raises DataError."""
    wrong = DataError(f"Invalid JSON path: '{path}'")
    if not path.startswith("$"):
        raise wrong
    steps: list[str] = []
    at = 1
    while at < len(path):
        opened = path[at]
        at += 1
        if opened == "[" and path[at : at + 1] == '"':
            step, at = _quoted(path, at + 1, wrong)
        elif opened in ".[":
            start = at
            while at < len(path) and (
                path[at] == "_" or path[at].isalnum() or (opened == "." and path[at] in ":@")
            ):
                at += 1
            step = path[start:at]
            if not step:
                raise wrong
        else:
            raise wrong
        if opened == "[":
            if path[at : at + 1] != "]":
                raise wrong
            at += 1
        steps.append(step)
    return tuple(steps)


def _quoted(path: str, at: int, wrong: DataError) -> tuple[str, int]:
    out: list[str] = []
    while at < len(path) and path[at] != '"':
        if path[at] == "\\":
            at += 1
            if path[at : at + 1] not in ('"', "\\"):
                raise wrong
        out.append(path[at])
        at += 1
    if at >= len(path):
        raise wrong
    return "".join(out), at + 1


@jsons.scalar("EXTRACTJSONFIELD(VARCHAR input, VARCHAR path) -> VARCHAR")
def extractjsonfield(text: str, path: str) -> str | None:
    """The value at a path of a JSON document as a string, NULL if there is none."""
    steps = json_path(path)
    node = json_text.parse(text)
    for step in steps:
        if isinstance(node, list):
            index = int(step) if step.isascii() and step.isdigit() else -1
            if not 0 <= index < len(node):
                return None
            node = node[index]
        elif isinstance(node, dict) and step in node:
            node = node[step]
        else:
            return None
    return _text(node)


@jsons.scalar("IS_JSON_STRING(VARCHAR input) -> BOOLEAN", sees_null=True)
def is_json_string(text: str | None) -> bool:
    """Whether a string holds JSON."""
    try:
        return text is not None and json_text.parse(text) is not json_text.MISSING
    except DataError:
        return False


@jsons.scalar("JSON_ARRAY_LENGTH(VARCHAR jsonArray) -> INT")
def json_array_length(text: str) -> int | None:
    """The number of items of a JSON array, NULL for other JSON."""
    node = json_text.parse(text)
    return len(node) if isinstance(node, list) else None


@jsons.scalar("JSON_ARRAY_CONTAINS(VARCHAR jsonArray, T val) -> BOOLEAN", sees_null=True, typed=True)
def json_array_contains(args: Sequence[ArgType]) -> Callable[..., Any]:
    """Whether a JSON array has an item of the type and value of the second argument."""
    matches = _matcher(args[1])

    def contains(text: str | None, value: Any) -> bool:
        if text is None:
            raise DataError("JSON_ARRAY_CONTAINS needs a string.")
        try:
            for item in json_text.array_items(text):
                if item is None if value is None else matches(item, value):
                    return True
        except DataError:
            pass
        return False

    return contains


def _matcher(kind: ArgType) -> Callable[[Any, Any], bool]:
    if kind in (T.INTEGER, T.BIGINT):
        limit = 31 if kind == T.INTEGER else 63

        def whole(item: Any, value: Any) -> bool:
            if not isinstance(item, int) or isinstance(item, bool):
                return False
            if not -(1 << limit) <= item < 1 << limit:
                raise DataError("A number out of range ends the search.")
            return bool(item == value)

        return whole
    if kind == T.DOUBLE:
        return lambda item, value: isinstance(item, Decimal) and float(item) == value
    if kind == T.STRING:
        return lambda item, value: isinstance(item, str) and item == value
    if kind == T.BOOLEAN:
        return lambda item, value: item is value
    return lambda *_: False


@jsons.scalar("JSON_CONCAT(VARCHAR... jsonStrings) -> VARCHAR")
def json_concat(*texts: str) -> str | None:
    """JSON objects merged, or other JSON joined to one array; NULL if a text is empty."""
    nodes = [json_text.parse(t) for t in texts]
    if not nodes or any(n is json_text.MISSING for n in nodes):
        return None
    if all(isinstance(n, dict) for n in nodes):
        return json_text.dump({k: v for n in nodes for k, v in n.items()})
    if len(nodes) == 1:
        return json_text.dump(nodes[0])
    return json_text.dump([v for n in nodes for v in (n if isinstance(n, list) else [n])])


@jsons.scalar("JSON_ITEMS(VARCHAR jsonItems) -> ARRAY<VARCHAR>")
def json_items(text: str) -> list[str]:
    """The items of a JSON array as JSON texts."""
    node = json_text.parse(text)
    if not isinstance(node, list):
        raise DataError(f"Invalid JSON format:{text}")
    return [json_text.dump(item, plain=False) for item in node]


@jsons.scalar("JSON_KEYS(VARCHAR jsonObj) -> ARRAY<VARCHAR>")
def json_keys(text: str) -> list[str] | None:
    """The keys of a JSON object, NULL for other JSON."""
    node = json_text.parse(text)
    return list(node) if isinstance(node, dict) else None


@jsons.scalar("JSON_RECORDS(VARCHAR jsonObj) -> MAP<VARCHAR, VARCHAR>")
def json_records(text: str) -> dict[str, str] | None:
    """The fields of a JSON object as a map of strings, NULL for other JSON."""
    node = json_text.parse(text)
    return {k: _text(v) for k, v in node.items()} if isinstance(node, dict) else None


@jsons.scalar("TO_JSON_STRING(T input) -> VARCHAR", sees_null=True, typed=True)
def to_json_string(args: Sequence[ArgType]) -> Callable[..., Any]:
    """Any value as JSON: dates and times as ISO text, bytes as base64, the fields of structs and maps in order."""
    prepare = _preparation(args[0])
    return lambda value: json_text.dump(None if value is None else prepare(value))


def _preparation(kind: ArgType) -> Callable[[Any], Any]:
    """How a value of a type becomes JSON."""
    from ksqlkit.engine.expressions import times

    def optional(inner: T.SqlType) -> Callable[[Any], Any]:
        function = _preparation(inner)
        return lambda v: None if v is None else function(v)

    match kind:
        case T.Array():
            item = optional(kind.item)
            return lambda v: [item(x) for x in v]
        case T.Map():
            item = optional(kind.value)
            return lambda v: {k: item(v[k]) for k in sorted(v, key=units)}
        case T.Struct():
            fields = [(n, optional(t)) for n, t in sorted(kind.fields, key=lambda f: units(f[0]))]
            return lambda v: {n: f(v[n]) for n, f in fields}
    if kind == T.DATE:
        return times.format_date
    if kind == T.TIME:
        return times.format_time
    if kind == T.TIMESTAMP:
        return times.format_timestamp
    if kind == T.BYTES:
        return lambda v: base64.b64encode(v).decode()
    return lambda v: v
