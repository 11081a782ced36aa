"""Stubs: a function's calls replaced by an expression of SQL, so that a test knows what the function answers.

`--@stub: FRAUD_SCORE(AMOUNT) = CASE WHEN AMOUNT > 100 THEN 0.9 ELSE 0.1 END`: parameters name the first arguments,
further ones are not looked at. A stub of NAME answers NAME_DETAIL too, with STATUS 'OK'.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse_expression, print_statement
from ksqlkit.errors import Location, ParseError, SqlError

_HEAD = re.compile(r"([A-Za-z_]\w*)\s*(?:\(([\w\s,]*)\))?\s*=\s*(.*)", re.DOTALL)
_DETAIL = (
    "STRUCT(VALUE := STUBBED, STATUS := 'OK', MODEL := 'stub', VERSION := 1, SCORED_AT := FROM_UNIXTIME(0), "
    "REASON := CAST(NULL AS VARCHAR), ATTRIBUTIONS := CAST(NULL AS MAP<VARCHAR, DOUBLE>))"
)


@dataclass(frozen=True, slots=True)
class Stub:
    """What is read instead of a call of the function; `parameters` are columns of `body`."""

    name: str
    parameters: tuple[str, ...]
    body: N.Expression


def read_stub(text: str, place: Location) -> Stub:
    """A stub from its line. Raises ParseError at the line."""
    head = _HEAD.fullmatch(text)
    if head is None:
        raise ParseError(
            f"Not a stub: {text}",
            location=place,
            hint="Write it as NAME = expression, or NAME(A, B) = expression.",
        )
    try:
        body = parse_expression(head[3])
    except ParseError as exc:
        raise ParseError(f"In the stub of {head[1]}: {exc.message}", location=place) from None
    parameters = tuple(p.strip().upper() for p in (head[2] or "").split(",") if p.strip())
    for node in _walk(body):
        if isinstance(node, N.ColumnRef) and (node.source or node.name not in parameters):
            raise ParseError(
                f"In the stub of {head[1]}: {node.name} is not one of its parameters",
                location=place,
                hint=f"Name it: {head[1]}({', '.join((*parameters, node.name))}) = ...",
            )
    return Stub(head[1].upper(), parameters, body)


def with_details(stubs: Iterable[Stub]) -> dict[str, Stub]:
    """Stubs by name, of equal names the last, with the DETAIL forms that are not stubbed themselves."""
    named = {stub.name: stub for stub in stubs}
    detail = parse_expression(_DETAIL)
    for stub in list(named.values()):
        body = _put(detail, {"STUBBED": stub.body})
        named.setdefault(f"{stub.name}_DETAIL", replace(stub, name=f"{stub.name}_DETAIL", body=body))
    return named


def replace_calls(text: str, node: N.Statement, stubs: Mapping[str, Stub]) -> str:
    """The statement's text, printed anew when it calls what is stubbed. Raises SqlError for too few arguments."""
    if not any(isinstance(found, N.FunctionCall) and found.name in stubs for found in _walk(node)):
        return text
    done: N.Statement = _replace(node, stubs)
    return f"{print_statement(done)};"


def _walk(value: Any) -> Iterable[Any]:
    if isinstance(value, tuple):
        for item in value:
            yield from _walk(item)
    elif is_dataclass(value):
        yield value
        for part in fields(value):
            yield from _walk(getattr(value, part.name))


def _replace(value: Any, stubs: Mapping[str, Stub]) -> Any:
    changed = _rebuild(value, lambda part: _replace(part, stubs))
    if isinstance(changed, N.FunctionCall) and (stub := stubs.get(changed.name)) is not None:
        if len(changed.args) < len(stub.parameters):
            raise SqlError(
                f"The stub of {stub.name} has {len(stub.parameters)} parameters, and is called with "
                f"{len(changed.args)} arguments"
            )
        return _put(stub.body, dict(zip(stub.parameters, changed.args, strict=False)))
    return changed


def _put(value: Any, arguments: Mapping[str, N.Expression]) -> Any:
    if isinstance(value, N.ColumnRef):
        return arguments[value.name]
    return _rebuild(value, lambda part: _put(part, arguments))


def _rebuild(value: Any, change: Any) -> Any:
    """The value with its parts changed; shared where nothing did."""
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        items = tuple(change(item) for item in value)
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changes = {
        p.name: new for p in fields(value) if (new := change(old := getattr(value, p.name))) is not old
    }
    return replace(value, **changes) if changes else value
