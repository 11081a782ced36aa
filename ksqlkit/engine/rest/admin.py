"""What the server says of itself, and what concerns it as a whole."""

from __future__ import annotations

import re
from typing import Any, Final

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.properties import Properties
from ksqlkit.engine.rest.entities import entity
from ksqlkit.engine.rest.messages import JSON, Refused, Reply, Request, json_reply
from ksqlkit.engine.rest.service import Service
from ksqlkit.engine.rest.statements import ANSWERS
from ksqlkit.engine.results import CommandStatus, CurrentStatus
from ksqlkit.errors import StatementError

VERSION: Final = "7.9.1"  # of ksqlDB's API, which clients check
CLUSTER_ID: Final = "ksqlkitEmbeddedCluster"


async def get_root(_service: Service, _request: Request) -> Reply:
    """To /info, as ksqlDB does."""
    return Reply(b"", None, 307, {"location": "/info"})


async def get_info(service: Service, request: Request) -> Reply:
    """Version and state."""
    request.negotiate(ANSWERS, JSON)
    return json_reply({"KsqlServerInfo": server_info(service.engine)})


def server_info(engine: Engine) -> dict[str, str]:
    """Version and state."""
    return {
        "version": VERSION,
        "kafkaClusterId": CLUSTER_ID,
        "ksqlServiceId": engine.context.properties["ksql.service.id"],
        "serverStatus": "RUNNING",
    }


async def get_healthcheck(_service: Service, request: Request) -> Reply:
    """Whether the parts work: they do when this answers."""
    request.negotiate(ANSWERS, JSON)
    details = {part: {"isHealthy": True} for part in ("metastore", "kafka", "commandRunner")}
    return json_reply({"isHealthy": True, "details": details, "serverState": "READY"})


async def get_metadata(service: Service, request: Request) -> Reply:
    """Version and cluster."""
    request.negotiate(ANSWERS, JSON)
    return json_reply({"version": VERSION, "clusterId": _cluster(service)})


async def get_metadata_id(service: Service, request: Request) -> Reply:
    """The cluster."""
    request.negotiate(ANSWERS, JSON)
    return json_reply(_cluster(service))


def _cluster(service: Service) -> dict[str, Any]:
    name = service.engine.context.properties["ksql.service.id"]
    return {"scope": {"path": [], "clusters": {"kafka-cluster": CLUSTER_ID, "ksql-cluster": name}}, "id": ""}


async def get_valid_property(_service: Service, request: Request) -> Reply:
    """Whether a request may set the property; 400 when only the server may."""
    request.negotiate(ANSWERS, JSON)
    try:
        Properties({}, {request.parts[0]: None}).check_request()
    except StatementError as error:
        if error.error_code == 40000:
            raise Refused(400, 40000, error.message, content_type=JSON) from None
    return json_reply(True)


async def get_statuses(service: Service, request: Request) -> Reply:
    """How commands ended, by command id."""
    request.negotiate(ANSWERS, JSON)
    found = {name: status.status for name, status in service.engine.context.statuses.copy().items()}
    return json_reply({"commandStatuses": found})


async def get_status(service: Service, request: Request) -> Reply:
    """How one command ended."""
    request.negotiate(ANSWERS, JSON)
    status = service.engine.context.statuses.get("/".join(request.parts))
    if status is None:
        raise Refused(404, 40400, "Command not found", content_type=JSON)
    return json_reply({"status": status.status, "message": status.message, "queryId": status.query_id})


async def get_cluster_status(_service: Service, request: Request) -> Reply:
    """404, as where heartbeats are off: there is one server."""
    request.negotiate(ANSWERS, JSON)
    return Reply(b"", JSON, 404)


async def post_heartbeat(_service: Service, request: Request) -> Reply:
    """Accepted, though there is no cluster to keep."""
    return await _accept(request, "HeartbeatMessage", "hostInfo")


async def post_lag(_service: Service, request: Request) -> Reply:
    """Accepted likewise."""
    return await _accept(request, "LagReportingMessage", "ksqlHost")


async def _accept(request: Request, message: str, sender: str) -> Reply:
    request.negotiate(ANSWERS, JSON)
    body = await request.json(message)
    if not isinstance(body.get(sender), str):
        raise Refused(400, 40000, f'Invalid JSON in request: "{sender}" must be text: host:port')
    return json_reply({"isOk": True})


async def post_terminate(service: Service, request: Request) -> Reply:
    """End the cluster: all queries stop, the named sinks' topics go, nothing is answered any more."""
    request.negotiate(ANSWERS, JSON)
    body = await request.json("ClusterTerminateRequest")
    wanted = body.get("deleteTopicList") or []
    patterns = []
    for text in wanted:
        try:
            patterns.append(re.compile(text))
        except (re.error, TypeError):
            raise Refused(400, 40000, f"Invalid pattern: {text}", content_type=JSON) from None
    sequence = await service.run(service.engine.terminate, patterns)
    service.terminated = True
    result = CurrentStatus(
        statement_text="TERMINATE CLUSTER;",
        command_id="terminate/CLUSTER/execute",
        command_status=CommandStatus("QUEUED", "Statement written to command topic"),
        command_sequence_number=sequence,
    )
    return json_reply([entity(result)])
