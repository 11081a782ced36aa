"""Compares the functions of a ksqlDB server with the scoring server's manifest, and says what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ksqlkit.bridge.functions import AUTHOR, generic_entries
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.errors import StatementError

if TYPE_CHECKING:
    from ksqlkit.client.protocol import Client

OK: Final = "ok"
REBUILD: Final = "`ksqlkit functions build`, copy the jar to ksql.extension.dir and restart the server"


@dataclass(frozen=True, slots=True)
class Finding:
    """A function's state on the server: ok, missing, changed, or gone from the manifest, and what to do."""

    name: str
    state: str
    detail: str = ""
    advice: str = ""


def check(client: Client, entries: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """One finding per function of the manifest, and one per bridge function that the manifest no longer has."""
    listed = {f["name"].upper() for f in _entity(client, "SHOW FUNCTIONS;")["functions"]}
    found = []
    for entry in sorted(entries, key=lambda e: str(e["name"])):
        name = entry["name"].upper()
        if name not in listed:
            found.append(Finding(name, "missing", "the server does not have it", REBUILD))
            continue
        described = _entity(client, f"DESCRIBE FUNCTION {name};")
        wanted, have = _forms(entry["overloads"]), _described(described)
        if wanted == have:
            found.append(Finding(name, OK))
        else:
            detail = "; ".join(
                [f"lacks {f}" for f in sorted(wanted - have)]
                + [f"still has {f}" for f in sorted(have - wanted)]
            )
            found.append(Finding(name, "changed", detail, REBUILD))
    known = {e["name"].upper() for e in [*entries, *generic_entries()]}
    builtin = Registry()
    for name in sorted(listed - known):
        if builtin.kind(name) is None and _ours(client, name):
            detail = "the scoring server does not have it any more: calls get no answer"
            found.append(Finding(name, "gone", detail, REBUILD))
    return found


def _ours(client: Client, name: str) -> bool:
    try:
        return str(_entity(client, f"DESCRIBE FUNCTION {name};").get("author", "")) == AUTHOR
    except StatementError:
        return False


def _entity(client: Client, sql: str) -> dict[str, Any]:
    return client.execute(sql)[0]


def _text(type_: str) -> str:
    """A type as both sides spell it: ksqlDB says INT and DECIMAL without its digits, and quotes no field; a
    STRUCT that may be any has no fields to name."""
    text = re.sub(r"\(.*?\)|[`\s]", lambda m: " " if m[0].isspace() else "", type_.upper())
    text = re.sub(r"\bSTRING\b", "VARCHAR", re.sub(r"\bINT\b", "INTEGER", text))
    return re.sub(r"\s*([<>,])\s*", r"\1", text).replace("STRUCT<>", "STRUCT")


def _forms(overloads: Sequence[Mapping[str, Any]]) -> set[str]:
    out = set()
    for overload in overloads:
        types = [_text(a["type"]) for a in overload["args"]]
        dots = "..." if overload.get("variadic") else ""
        out.add(f"({', '.join(types)}{dots}) -> {_text(overload['returns'])}")
    return out


def _described(entity: Mapping[str, Any]) -> set[str]:
    out = set()
    for variation in entity["functions"]:
        arguments = variation["arguments"]
        dots = "..." if any(a.get("isVariadic") for a in arguments) else ""
        types = [_text(a["type"]) for a in arguments]
        out.add(f"({', '.join(types)}{dots}) -> {_text(variation['returnType'])}")
    return out
