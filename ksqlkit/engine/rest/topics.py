"""Kafka REST Proxy, v2: records into topics over HTTP."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import Any, Final

import orjson

from ksqlkit.engine.rest.messages import Refused, Reply, Request
from ksqlkit.engine.rest.service import Service
from ksqlkit.errors import DataError

KAFKA: Final = "application/vnd.kafka.v2+json"
BINARY: Final = "application/vnd.kafka.binary.v2+json"
AS_JSON: Final = "application/vnd.kafka.json.v2+json"
Decode = Callable[[Any], bytes | None]
Placed = tuple[bytes | None, bytes | None, int | None, int | None]


def _from_base64(value: Any) -> bytes | None:
    return None if value is None else binascii.a2b_base64(value, strict_mode=True)


def _from_json(value: Any) -> bytes | None:
    return None if value is None else orjson.dumps(value)


DECODERS: Final[dict[str, Decode]] = {
    BINARY: _from_base64,
    AS_JSON: _from_json,
    "application/json": _from_json,
}


async def get_topics(service: Service, _request: Request) -> Reply:
    """Names of all topics."""
    topics = await service.run(service.engine.topics)
    return Reply(orjson.dumps(sorted(topics)), KAFKA)


async def get_topic(service: Service, request: Request) -> Reply:
    """A topic's partitions and settings."""
    name = request.parts[0]
    info = (await service.run(service.engine.topics)).get(name)
    if info is None:
        raise _no_topic(name)
    partitions = [
        {"partition": p, "leader": 0, "replicas": [{"broker": 0, "leader": True, "in_sync": True}]}
        for p in range(info.partitions)
    ]
    return Reply(orjson.dumps({"name": name, "configs": dict(info.config), "partitions": partitions}), KAFKA)


async def post_topic(service: Service, request: Request) -> Reply:
    """Append records, all or none, in one commit."""
    kind = request.headers.get("content-type", BINARY).partition(";")[0].strip().lower()
    decode = DECODERS.get(kind)
    if decode is None:
        raise _refused(415, 415, f"Content-Type {kind} is not supported here; use {BINARY} or {AS_JSON}")
    body = await request.body()
    answer = await service.run(_append, service, request.parts[0], body, decode)
    return Reply(answer, KAFKA)


def _append(service: Service, topic: str, body: bytes, decode: Decode) -> bytes:
    if topic not in service.engine.topics():
        raise _no_topic(topic)
    records = read_records(body, decode)
    try:
        places = service.engine.append(topic, records)
    except DataError as error:
        raise _refused(422, 42202, error.message) from None
    offsets = b",".join(
        [b'{"partition":%d,"offset":%d,"error_code":null,"error":null}' % place for place in places]
    )
    return b'{"offsets":[' + offsets + b'],"key_schema_id":null,"value_schema_id":null}'


def read_records(body: bytes, decode: Decode) -> list[Placed]:
    """(key, value, timestamp, partition) of each record; 422 naming the first that is wrong."""
    try:
        records = orjson.loads(body)["records"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise _refused(422, 42200, f"The request is not {{'records': [...]}}: {error}") from None
    found: list[Placed] = []
    add = found.append
    try:
        for record in records:
            get = record.get
            add((decode(get("key")), decode(record["value"]), get("timestamp"), get("partition")))
    except (KeyError, AttributeError):
        raise _refused(422, 42200, f"Record {len(found)} is not an object with a 'value'") from None
    except (binascii.Error, TypeError, ValueError) as error:
        raise _refused(
            422, 42205, f"Record {len(found)}: key and value must be base64 text: {error}"
        ) from None
    wrong = next((i for i, r in enumerate(found) if not (_whole(r[2]) and _whole(r[3]))), None)
    if wrong is not None:
        raise _refused(
            422, 42200, f"Record {wrong}: timestamp and partition must be whole numbers, not negative"
        )
    return found


def _whole(value: object) -> bool:
    return value is None or (type(value) is int and value >= 0)


def _no_topic(name: str) -> Refused:
    hint = "create a stream over it, with PARTITIONS"
    return _refused(404, 40401, f"Topic '{name}' not found: {hint}")


def _refused(status: int, code: int, message: str) -> Refused:
    return Refused(status, code, message, content_type=KAFKA)
