"""The engine's schema registry, by Schema Registry's own calls.

There are no compatibility rules: any new version of a schema is taken, as with compatibility NONE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import orjson

from ksqlkit.engine.rest.messages import Refused, Reply, Request
from ksqlkit.engine.rest.service import Service
from ksqlkit.engine.serde.avro_schema import parse_schema
from ksqlkit.engine.serde.registry import Registered, SchemaKind, SchemaRegistry

KIND: Final = "application/vnd.schemaregistry.v1+json"
T = TypeVar("T")
KINDS: Final = ("JSON", "PROTOBUF", "AVRO")


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


async def post_version(service: Service, request: Request) -> Reply:
    """Register a schema under a subject; answers its id."""
    kind, schema = await _body(request)
    entry = await service.run(_locked, service, _registry(service).register, request.parts[0], kind, schema)
    return _reply({"id": entry.id})


async def post_subject(service: Service, request: Request) -> Reply:
    """Look a schema up under a subject."""
    kind, schema = await _body(request)
    wanted = schema if kind == "PROTOBUF" else orjson.loads(schema)
    for entry in _versions(service, request.parts[0]):
        known = entry.schema if kind == "PROTOBUF" else orjson.loads(entry.schema)
        if (entry.kind, known) == (kind, wanted):
            return _reply(
                {"subject": entry.subject, "version": entry.version, "id": entry.id, **_schema(entry)}
            )
    raise Refused(404, 40403, "Schema not found", content_type=KIND)


async def delete_subject(service: Service, request: Request) -> Reply:
    """Forget a subject; answers the versions that went."""
    _versions(service, request.parts[0])
    return _reply(await service.run(_locked, service, _registry(service).delete_subject, request.parts[0]))


async def get_types(_service: Service, _request: Request) -> Reply:
    """The kinds of schemas."""
    return _reply(KINDS)


async def get_config(_service: Service, _request: Request) -> Reply:
    """The compatibility level: none is checked."""
    return _reply({"compatibilityLevel": "NONE"})


def _locked(service: Service, change: Callable[..., T], *args: Any) -> T:
    """Changes of the registry go to the engine's log, which has one writer at a time."""
    with service.engine.context.lock:
        return change(*args)


async def _body(request: Request) -> tuple[SchemaKind, str]:
    try:
        body = orjson.loads(await request.body())
        kind, schema = body.get("schemaType", "AVRO"), body["schema"]
        if kind not in KINDS or not isinstance(schema, str):
            raise ValueError(kind)
        if kind == "AVRO":
            parse_schema(schema)
        elif kind == "JSON":
            orjson.loads(schema)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(422, 42201, f"Invalid schema: {error}", content_type=KIND) from None
    return kind, schema


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
