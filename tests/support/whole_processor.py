"""A whole processor without servers: Kafka in memory, a scoring server of a dictionary, and its manifest."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from ksqlkit.engine.log.protocol import TopicInfo
from ksqlkit.processor.counters import Counters
from ksqlkit.processor.planning import plan
from ksqlkit.processor.processor import Processor, Tally, Topics
from ksqlkit.processor.settings import Settings
from ksqlkit.processor.spec import Spec
from ksqlkit.processor.versions import Pins, Versions
from ksqlkit.scoring.entry import Entry
from ksqlkit.scoring.transport import NoReply, Reply
from tests.support.processor_parts import Server

if TYPE_CHECKING:
    from tests.support.fake_kafka import Cluster


def _raw(found: Entry) -> dict[str, Any]:
    kept = {
        n: getattr(found, n) for n in ("name", "description", "deterministic", "batch_limit", "on_failure")
    }
    more = {n: getattr(found, n) for n in ("default", "version", "model", "detail_of")}
    return kept | more | {
        "overloads": [dict(o) for o in found.overloads],
        "timeout_ms": found.timeout * 1000,
        "model_version": found.pinned,
    }  # fmt: skip


class Manifest:
    """A transport that answers with the functions it is told."""

    def __init__(self, *functions: Entry) -> None:
        self.functions = functions
        self.away = False
        self.asked: list[str | None] = []

    def send(self, _: str, path: str, __: bytes, headers: Mapping[str, str], ___: float) -> Reply:
        assert path == "/v1/functions"
        self.asked.append(headers.get("if-none-match"))
        if self.away:
            raise NoReply("gone")
        body = orjson.dumps({"functions": [_raw(f) for f in self.functions]})
        tag = f'"{hash(body)}"'
        return Reply(304, {}, b"") if headers.get("if-none-match") == tag else Reply(200, {"etag": tag}, body)

    def close(self) -> None: ...


class Whole:
    """A processor from topic `in` to T, which takes records of at most `largest` bytes."""

    def __init__(
        self,
        spec: Spec,
        server: Server,
        entries: Sequence[Entry],
        cluster: Cluster,
        largest: int = 1_000_000,
        **settings: Any,
    ) -> None:
        self.largest = largest
        given = {"kafka": {"bootstrap.servers": "nowhere"}, "to_end": True, **settings}
        self.cluster, self.stop, self.manifest = cluster, threading.Event(), Manifest(*entries)
        self.processor = Processor(
            Settings(**given), "g", Counters(), self.stop, None, cluster.make_producer, cluster.make_consumer
        )
        self.partitions = partitions = len(cluster.source)
        known = {e.name: e for e in entries}
        self.planned = plan(
            spec,
            known,
            lambda e: self.processor.caller(e, server),
            {name: TopicInfo(name, partitions) for name in ("in", "T")},
            None,
            self.processor.expression_failed,
        )
        self.versions = Versions(self.manifest, known, self.planned.functions, Pins())

    def run(self) -> Tally:
        """Run it to the input's end; the manifest is looked at only when a test says so."""
        topics = Topics(self.partitions, "T_DEAD", 1, None, self.largest)
        return self.processor.run(self.planned, topics, self.versions)

    def rows(self, partition: int | None = None) -> list[Any]:
        """Values of the results, in order."""
        return [v and orjson.loads(v) for v in self.cluster.values("T", partition)]

    def dead(self) -> list[tuple[bytes | None, bytes | None, dict[str, bytes]]]:
        """Key, value and headers of the dead letters."""
        return [(s.key, s.value, dict(s.headers)) for _, s in self.cluster.topics["T_DEAD"]]
