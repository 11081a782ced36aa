"""Functions answered elsewhere, from the overloads of a manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ksqlkit.dialect import parse_type
from ksqlkit.engine.functions.contract import RemoteCall
from ksqlkit.engine.functions.define import Function, Overload
from ksqlkit.engine.functions.params import Param, Signature, from_sql


def remote_function(
    function: Function, overloads: Sequence[Mapping[str, Any]], call: RemoteCall, *, deterministic: bool
) -> Function:
    """The function, one overload per entry. NULL arguments are sent: its own null policy decides."""
    made = tuple(
        Overload(
            function.name,
            _one_row(call),
            parsed=_signature(function.name, entry),
            about=entry.get("description", ""),
            notes={a["name"]: a.get("description", "") for a in entry["args"]},
            sees_null=True,
            deterministic=deterministic,
            remote=call,
        )
        for entry in overloads
    )
    return replace(function, overloads=made)


def _signature(name: str, entry: Mapping[str, Any]) -> Signature:
    last = len(entry["args"]) - 1
    params = tuple(
        Param(from_sql(parse_type(a["type"])), a["name"], bool(entry.get("variadic")) and i == last)
        for i, a in enumerate(entry["args"])
    )
    return Signature(name, params, from_sql(parse_type(entry["returns"])))


def _one_row(call: RemoteCall) -> Callable[..., Any]:
    def one(*args: Any) -> Any:
        (answer,) = call.call([args])
        if isinstance(answer, Exception):
            raise answer
        return answer

    return one
