"""Alerts, and where they go: a webhook in Alertmanager's v2 shape, and rows on the topic `alerts` that SQL reads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from ksqlkit.certificates import trusted_authorities

logger = logging.getLogger("udf_server")

STREAM: Final = "ALERTS"
# As the reference project has it (sql/monitoring/alerts.sql): whoever comes first makes it.
STATEMENT: Final = """CREATE STREAM IF NOT EXISTS ALERTS (
    MODEL STRING KEY, ALERT STRING, VERSION INTEGER, QUANTITY STRING, STATUS STRING, VALUE DOUBLE, THRESHOLD DOUBLE,
    STARTED_AT BIGINT, TEXT STRING
  ) WITH (KAFKA_TOPIC='alerts', VALUE_FORMAT='JSON', PARTITIONS=1);"""
_TIMEOUT: Final = 5.0
Send = Callable[[Sequence["Alert"]], None]


@dataclass(frozen=True, slots=True)
class Alert:
    """A quantity of a model that moved: `started` and `ended` in seconds since the epoch, `ended` None while it lasts.
    `name` is ModelDrift or ModelPerformance."""

    name: str
    model: str
    version: int
    quantity: str
    value: float
    threshold: float
    started: float
    ended: float | None = None

    @property
    def text(self) -> str:
        """For people."""
        what = "mean loss" if self.name == "ModelPerformance" else f"PSI of {self.quantity}"
        state = "is back to" if self.ended is not None else "is"
        beside = f"(threshold {self.threshold:.3f})"
        return f"model {self.model} version {self.version}: {what} {state} {self.value:.3f} {beside}"

    def alertmanager(self) -> dict[str, Any]:
        """As `POST /api/v2/alerts` takes it."""
        found: dict[str, Any] = {
            "labels": {
                "alertname": self.name,
                "model": self.model,
                "version": str(self.version),
                "quantity": self.quantity,
                "severity": "warning",
            },
            "annotations": {
                "summary": self.text,
                "value": f"{self.value:.6g}",
                "threshold": f"{self.threshold:.6g}",
            },
            "startsAt": _stamp(self.started),
        }
        if self.ended is not None:
            found["endsAt"] = _stamp(self.ended)
        return found

    def row(self) -> dict[str, Any]:
        """As the stream ALERTS has it."""
        return {
            "ALERT": self.name,
            "MODEL": self.model,
            "VERSION": self.version,
            "QUANTITY": self.quantity,
            "STATUS": "firing" if self.ended is None else "resolved",
            "VALUE": self.value,
            "THRESHOLD": self.threshold,
            "STARTED_AT": int(self.started * 1000),
            "TEXT": self.text,
        }


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_webhook(url: str) -> Send:
    """Send to an Alertmanager, or to whatever takes its shape. A URL without a path gets `/api/v2/alerts`."""
    from urllib.parse import urlsplit

    target = url if urlsplit(url).path.strip("/") else url.rstrip("/") + "/api/v2/alerts"

    def send(alerts: Sequence[Alert]) -> None:
        import httpx

        body = orjson.dumps([alert.alertmanager() for alert in alerts])
        headers = {"content-type": "application/json"}
        httpx.post(
            target,
            content=body,
            headers=headers,
            timeout=_TIMEOUT,
            trust_env=False,
            verify=trusted_authorities(),
        ).raise_for_status()

    return send


def to_topic(url: str) -> Send:
    """Insert rows into the stream ALERTS of the ksqlDB at that URL, which is made if it is not there; the key is the
    model's name."""

    def send(alerts: Sequence[Alert]) -> None:
        from ksqlkit.client.http import HttpClient

        client = HttpClient(url, timeout=_TIMEOUT)
        try:
            client.execute(STATEMENT)
            client.insert(STREAM, [alert.row() for alert in alerts])
        finally:
            client.close()

    return send


def sending(sends: Sequence[Send], alerts: Sequence[Alert]) -> bool:
    """Hand alerts to all; one that fails is logged and stops no other. Returns whether all took them."""
    done = True
    for send in sends:
        try:
            send(alerts)
        except Exception as error:
            done = False
            logger.error("%d alerts could not be sent: %s", len(alerts), error)
    return done
