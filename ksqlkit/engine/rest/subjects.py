"""What the engine's own schema registry holds, by Schema Registry's reading calls."""

from __future__ import annotations

from typing import Any, Final

import orjson

from ksqlkit.engine.rest.messages import Refused, Reply, Request
from ksqlkit.engine.rest.service import Service
from ksqlkit.engine.serde.registry import Registered, SchemaRegistry

KIND: Final = "application/vnd.schemaregistry.v1+json"


async def get_subjects(service: Service, _request: Request) -> Reply:
    """All subjects."""
    return _reply(_registry(service).subjects())


async def get_versions(service: Service, request: Request) -> Reply:
    """The versions of a subject."""
    return _reply([entry.version for entry in _versions(service, request.parts[0])])


async def get_version(service: Service, request: Request) -> Reply:
    """One version of a subject, or the `latest`."""
    subject, wanted = request.parts
    found = _versions(service, subject)
    entry = found[-1] if wanted == "latest" else next((e for e in found if str(e.version) == wanted), None)
    if entry is None:
        raise Refused(404, 40402, f"Version {wanted} not found.", content_type=KIND)
    body = {"subject": subject, "version": entry.version, "id": entry.id, **_schema(entry)}
    return _reply(body)


async def get_schema(service: Service, request: Request) -> Reply:
    """The schema of an id."""
    wanted = request.parts[0]
    entry = _registry(service).by_id(int(wanted)) if wanted.isdecimal() else None
    if entry is None:
        raise Refused(404, 40403, f"Schema {wanted} not found", content_type=KIND)
    return _reply(_schema(entry))


def _schema(entry: Registered) -> dict[str, Any]:
    kind = {} if entry.kind == "AVRO" else {"schemaType": entry.kind}
    return {**kind, "schema": entry.schema}


def _registry(service: Service) -> SchemaRegistry:
    registry = service.engine.context.schemas
    if registry is None:
        message = "There is no schema registry; start with --property ksql.schema.registry.url=embedded"
        raise Refused(404, 40400, message, content_type=KIND)
    return registry


def _versions(service: Service, subject: str) -> list[Registered]:
    found = [entry for entry in _registry(service).entries() if entry.subject == subject]
    if not found or _registry(service).latest(subject) is None:
        raise Refused(404, 40401, f"Subject '{subject}' not found.", content_type=KIND)
    return found


def _reply(content: Any) -> Reply:
    return Reply(orjson.dumps(content), KIND)
