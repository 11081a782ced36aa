"""An entry of the server's manifest, and how values of its types cross the wire."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from ksqlkit.dialect import parse_type
from ksqlkit.dialect import types as T

Decoder = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A function as the manifest has it. `overloads` are as `Registry.register_remote` takes them; `pinned`
    is the version that calls name, so that a running query keeps the one it was deployed with."""

    name: str
    description: str
    overloads: tuple[Mapping[str, Any], ...]
    deterministic: bool
    batch_limit: int
    timeout: float
    on_failure: str
    default: Any
    version: int
    pinned: int | None
    model: str | None
    detail_of: str | None

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Entry:
        """From the manifest's JSON; raises KeyError or ValueError for one that is not in its shape."""
        return cls(
            name=raw["name"],
            description=raw["description"],
            overloads=tuple(raw["overloads"]),
            deterministic=bool(raw["deterministic"]),
            batch_limit=int(raw["batch_limit"]),
            timeout=raw["timeout_ms"] / 1000,
            on_failure=raw["on_failure"],
            default=raw["default"],
            version=int(raw["version"]),
            pinned=raw["model_version"] if raw["model"] else raw["version"],
            model=raw["model"],
            detail_of=raw["detail_of"],
        )

    def decoder(self, width: int) -> Decoder | None:
        """How to read values of a call with that many arguments; None where JSON has them as they are."""
        for overload in self.overloads:
            declared = len(overload["args"])
            if declared == width or (overload.get("variadic") and declared <= width):
                return decoder(parse_type(overload["returns"]))
        return None


@cache
def decoder(type_: T.SqlType) -> Decoder | None:
    """From JSON to the engine's value of a type; None where they are the same."""
    if isinstance(type_, T.Decimal):
        return Decimal
    if type_ == T.BYTES:
        return base64.b64decode
    if isinstance(type_, T.Array):
        item = decoder(type_.item)
        return item and (lambda v: [None if x is None else item(x) for x in v])
    if isinstance(type_, T.Map):
        value = decoder(type_.value)
        return value and (lambda v: {k: None if x is None else value(x) for k, x in v.items()})
    if isinstance(type_, T.Struct):
        inner = {n: d for n, t in type_.fields if (d := decoder(t)) is not None}
        if inner:
            return lambda v: {n: inner[n](x) if n in inner and x is not None else x for n, x in v.items()}
    return None


def plain(value: Any) -> Any:
    """What JSON has no form for: decimals as text, bytes as base64."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    raise TypeError(f"a {type(value).__name__} cannot be sent to the scoring server")
