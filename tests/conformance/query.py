"""Runs a query case through the engine: statements, inputs one by one, every record that comes out."""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse_one, parse_schema, split
from ksqlkit.engine.clock import FixedClock
from ksqlkit.engine.engine import Engine
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.log.protocol import Record
from ksqlkit.engine.serde.registry import SchemaRegistry
from ksqlkit.engine.statements.create import make_schema, resolve_columns_of
from ksqlkit.errors import KsqlkitError
from tests.conformance import codec as C
from tests.conformance import registered
from tests.conformance.cases import Case
from tests.conformance.udfs import register

EARLIEST = {"auto.offset.reset": "earliest"}
OWN_SETTINGS = {"ksql.logging.processing.stream.auto.create": False}
_RUNTIME = "org.apache.kafka.streams.errors.StreamsException"


@dataclass(frozen=True)
class Outcome:
    """How a case went; `reason` says why it failed; `message_agrees` is for rejections."""

    passed: bool
    reason: str = ""
    message_agrees: bool | None = None


class Mismatch(Exception):
    """What came out is not what should."""


@cache
def functions() -> Registry:
    """ksqlDB's functions and the small ones that its cases call."""
    registry = Registry()
    register(registry)
    return registry


def run_case(case: Case) -> Outcome:
    """Run one case on an engine of its own."""
    expected = case.spec.get("expectedException")

    def run() -> Outcome:
        with Runner(case.spec) as runner:
            if expected is None:
                runner.run()
                return Outcome(True)
            return runner.run_rejected(expected)

    return told(run)


def told(run: Callable[[], Outcome]) -> Outcome:
    """A case's outcome, whatever it raises."""
    try:
        return run()
    except Mismatch as error:
        return Outcome(False, str(error))
    except C.Unsupported as error:
        return Outcome(False, str(error))
    except KsqlkitError as error:
        return Outcome(False, f"rejected: {error.message}")
    except Exception as error:  # a crash is a failure of the case, with its kind named
        return Outcome(False, f"{type(error).__name__}: {error}")


class Runner:
    """One engine fed from a case."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec
        self.declared = {t["name"]: t for t in spec.get("topics", ()) if isinstance(t, dict)}
        self.schemas = SchemaRegistry()
        self.engine = Engine(
            schemas=self.schemas,
            clock=FixedClock(0),
            functions=functions(),
            properties={**(spec.get("properties") or {}), **OWN_SETTINGS},
        )
        self.seen: dict[tuple[str, int], int] = {}
        self.out: dict[str, list[Record]] = defaultdict(list)
        self.later: list[Mapping[str, Any]] = []  # topics whose schemas are registered before the first query

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.close()

    # ------------------------------------------------------------ what a case does

    def run(self) -> None:
        """Statements, inputs, comparison. Raises Mismatch, KsqlkitError."""
        self.create_topics()
        for statement in self.statements:
            self.execute(statement)
        self.engine.run_until_idle()
        self.collect()
        for record in self.spec.get("inputs", ()):
            self.feed(record)
            self.engine.run_until_idle()
            self.collect()
        self.check_alive()
        self.compare(self.spec.get("outputs", []))
        self.check_post(self.spec.get("post") or {})

    def run_rejected(self, expected: Mapping[str, Any]) -> Outcome:
        """The case must be refused: at its last statement, or earlier with the very message; or while it runs."""
        wanted = str(expected.get("message", ""))
        self.create_topics()
        statements = self.statements
        for number, statement in enumerate(statements, 1):
            try:
                self.execute(statement)
            except KsqlkitError as error:
                have = f"{error.message}\nStatement: {statement.strip()}"  # as the layer above adds it
                agrees = wanted.lower() in have.lower()
                if number < len(statements) and not agrees:
                    return Outcome(False, f"rejected too early: {error.message}", agrees)
                if expected.get("type") == _RUNTIME:
                    return Outcome(False, f"rejected, but should fail while running: {error.message}", agrees)
                return Outcome(True, "" if agrees else f"message: {error.message}", agrees)
        for record in self.spec.get("inputs", ()):
            self.feed(record)
            self.engine.run_until_idle()
        failures = [
            e.error_message for q in self.engine.context.queries for e in self.engine.context.query_errors(q)
        ]
        if not failures:
            return Outcome(False, f"not rejected; expected: {wanted}", False)
        cause = str(expected.get("causeMessage") or wanted)
        return Outcome(True, failures[0], cause in failures[0])

    @property
    def statements(self) -> list[str]:
        """The case's statements at the lines they have as one text, since errors name lines."""
        above, found = 0, []
        for statement in self.spec["statements"]:
            found.append("\n" * above + statement)
            above += statement.count("\n") + 1
        return found

    def execute(self, statement: str) -> None:
        """Run it; the schemas of sinks are registered before the first query, after those of sources."""
        if self.later and any(
            isinstance(_parsed(t), N.CreateAsSelect | N.InsertInto) for t, _ in split(statement)
        ):
            for spec in self.later:
                self.register(spec)
            self.later = []
        self.engine.execute(statement, properties=EARLIEST)

    default_partitions = 1

    def create_topics(self) -> None:
        """The topics that must be there before: those the statements read, unless they give PARTITIONS."""
        wanted: dict[str, int] = {
            name: int(spec.get("partitions", 1)) for name, spec in self.declared.items()
        }
        replicas = {name: int(spec.get("replicas", 1)) for name, spec in self.declared.items()}
        own, read = set(), {record["topic"] for record in self.spec.get("inputs", ())}
        for statement in self.spec["statements"]:
            for text, _ in split(statement):
                node = _parsed(text)
                if not isinstance(node, N.CreateSource):
                    continue
                given = {name.upper(): getattr(value, "value", None) for name, value in node.properties}
                topic = given.get("KAFKA_TOPIC")
                if isinstance(topic, str):
                    read.add(topic)
                    declared = self.declared.get(topic, {})
                    if given.get("PARTITIONS") is not None and "partitions" not in declared:
                        own.add(topic)
                    else:
                        wanted.setdefault(topic, self.default_partitions)
        for record in self.spec.get("inputs", ()):
            if record["topic"] not in own:
                wanted.setdefault(record["topic"], self.default_partitions)
        self.later = [spec for name, spec in self.declared.items() if name not in read]
        for name, spec in self.declared.items():
            if name in read:
                self.register(spec)
        for name, partitions in wanted.items():
            if name in read and name not in own:
                self.engine.create_topic(name, partitions, replicas.get(name, 1))

    def register(self, topic: Mapping[str, Any]) -> None:
        """Put the schemas a case declares for a topic into the registry."""
        text = " ".join(self.spec["statements"]).upper()
        for side in ("key", "value"):
            schema = topic.get(f"{side}Schema")
            if schema is None:
                continue
            name = str(topic.get(f"{side}Format") or topic.get("format") or "").upper()
            if not name:
                name = next((n for n in ("JSON_SR", "PROTOBUF", "AVRO") if n in text), "AVRO")
            kind: Any = {"JSON_SR": "JSON"}.get(name, name)
            if kind not in ("AVRO", "PROTOBUF", "JSON"):
                continue
            written = schema if kind == "PROTOBUF" else C.dumps(schema).decode()
            number = topic.get(f"{side}SchemaId")
            imported = tuple(r["schema"] for r in topic.get(f"{side}SchemaReferences", ()))
            self.schemas.register(f"{topic['name']}-{side}", kind, written, id=number, references=imported)

    def feed(self, record: Mapping[str, Any]) -> None:
        """Produce one input record."""
        topic = record["topic"]
        codec = self.codec(topic)
        key = C.with_window(self.encode(codec.key, record.get("key")), record.get("window"))
        value = self.encode(codec.value, record.get("value"))
        headers = C.headers_in(record.get("headers"))
        self.engine.produce(topic, key, value, timestamp=int(record.get("timestamp", 0)), headers=headers)
        for partition in range(self.engine.topics()[topic].partitions):
            self.seen[topic, partition] = self.engine.log.end_offset(topic, partition)

    def encode(self, side: C.Side, value: Any) -> bytes | None:
        """An input's key or value: by the schema that the case declares for it, else by the columns."""
        declared = self.declared.get(side.topic, {}).get("keySchema" if side.is_key else "valueSchema")
        if value is not None and declared is not None and side.name in ("AVRO", "JSON_SR", "PROTOBUF"):
            options = dict(side.format.options)
            number = options.get("SCHEMA_ID")
            subject = f"{side.topic}-{'key' if side.is_key else 'value'}"
            entry = self.schemas.by_id(int(number)) if number else self.schemas.latest(subject)
            if entry is not None:
                with contextlib.suppress(ValueError):
                    return registered.encode(entry, value, options.get("SCHEMA_FULL_NAME"))
        return C.encode(side, value)

    def codec(self, topic: str) -> C.TopicCodec:
        """How the topic's records read: as the source over it says."""
        over = [s for s in self.engine.context.catalog if s.topic == topic]
        return C.TopicCodec.of(over[0], self.schemas) if over else C.PLAIN

    def collect(self) -> None:
        """Take what was written since the last time, in partition order."""
        for name, info in self.engine.topics().items():
            for partition in range(info.partitions):
                start = self.seen.get((name, partition), 0)
                for record in self.engine.read(name, partition, start):
                    self.out[name].append(record)
                self.seen[name, partition] = self.engine.log.end_offset(name, partition)

    # ------------------------------------------------------------ what must be true afterwards

    def check_alive(self) -> None:
        """No query may have failed."""
        for query_id in self.engine.context.queries:
            for error in self.engine.context.query_errors(query_id):
                raise Mismatch(f"query failed: {error.error_message}")

    def compare(self, outputs: list[dict[str, Any]]) -> None:
        """Every topic that is named must hold exactly those records, in that order."""
        by_topic: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for output in outputs:
            by_topic[output["topic"]].append(output)
        if not outputs:
            sinks = [q.plan.sink.topic for q in self.engine.context.queries.values() if q.plan.sink]
            by_topic = defaultdict(list, {sinks[-1]: []} if sinks else {})
        for topic, expected in by_topic.items():
            records = self.out.get(topic, [])
            actual = [self.shown(topic, r) for r in records]
            for number, wanted in enumerate(expected):
                if number >= len(actual):
                    raise Mismatch(f"{topic}: record {number + 1} is missing: {_short(wanted)}")
                wanted = self.aligned(topic, wanted, records[number], actual[number])
                _compare_record(f"{topic}: record {number + 1}", wanted, actual[number])
            if len(actual) > len(expected):
                raise Mismatch(
                    f"{topic}: unexpected record {len(expected) + 1}: {_short(actual[len(expected)])}"
                )

    def aligned(
        self, topic: str, wanted: dict[str, Any], record: Record, actual: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The expected record, its key and value as the actual ones are written where they mean the same."""
        codec = self.codec(topic)
        key, _ = C.split_window(codec, record.key)
        for part, side, data in (("key", codec.key, key), ("value", codec.value, record.value)):
            if C.same_row(side, wanted.get(part), data):
                wanted = {**wanted, part: actual[part]}
        return wanted

    def shown(self, topic: str, record: Record) -> dict[str, Any]:
        """A record as a case file writes it."""
        codec = self.codec(topic)
        key, window = C.split_window(codec, record.key)
        return {
            "key": C.decode(codec.key, key),
            "value": C.decode(codec.value, record.value),
            "timestamp": record.timestamp,
            "window": window,
            "headers": record.headers,
        }

    def check_post(self, post: Mapping[str, Any]) -> None:
        """Sources and topics that must exist."""
        catalog = self.engine.context.catalog
        for wanted in post.get("sources", ()):
            source = catalog.get(wanted["name"])
            if source is None:
                raise Mismatch(f"source {wanted['name']} is missing")
            actual: dict[str, Any] = {"type": source.kind.lower(), "isSource": source.read_only}
            for side, fmt in (("keyFormat", source.key_format), ("valueFormat", source.value_format)):
                if side in wanted:
                    name = wanted[side]["format"] if isinstance(wanted[side], dict) else wanted[side]
                    if str(name).upper() != fmt.name:
                        raise Mismatch(f"{source.name}: {side} is {fmt.name}, expected {name}")
            for name in ("type", "isSource"):
                if name in wanted and str(wanted[name]).lower() != str(actual[name]).lower():
                    raise Mismatch(f"{source.name}: {name} is {actual[name]}, expected {wanted[name]}")
            if "schema" in wanted:
                schema = make_schema(resolve_columns_of(parse_schema(wanted["schema"]), catalog))
                if schema != source.schema:
                    raise Mismatch(
                        f"{source.name}: schema is {source.schema.describe()}, expected {wanted['schema']}"
                    )
        topics = post.get("topics") or {}
        names = {e.name for e in self.engine.execute("SHOW ALL TOPICS;")[0].topics}  # type: ignore[attr-defined]
        pattern = topics.get("blacklist")
        if pattern and (found := sorted(n for n in names if re.fullmatch(pattern, n))):
            raise Mismatch(f"topics that should not exist: {', '.join(found)}")
        names |= {_unnumbered(n) for n in names}
        for wanted in topics.get("topics", ()):
            self.check_topic(wanted, names)

    def check_topic(self, wanted: Mapping[str, Any], names: set[str]) -> None:
        """One topic of post.topics."""
        name = _unnumbered(wanted["name"].replace("some.ksql.service.id", "default_"))
        if "-KSTREAM-" in name:
            return  # named after nodes of Kafka Streams' own topology
        if name not in names:
            raise Mismatch(f"topic {wanted['name']} is missing")
        codec = self.codec(name)
        info = self.engine.topics().get(name)
        if info is None:
            return
        for side, have in (("keyFormat", codec.key.name), ("valueFormat", codec.value.name)):
            if side in wanted and wanted[side]["format"] != have:
                raise Mismatch(f"topic {name}: {side} is {have}, expected {wanted[side]['format']}")
        if name in self.declared and wanted.get("partitions", info.partitions) != info.partitions:
            raise Mismatch(f"topic {name}: {info.partitions} partitions, expected {wanted['partitions']}")


def _unnumbered(name: str) -> str:
    """An internal topic's name without the number in its query's id: that counts statements, not queries."""
    return re.sub(r"(query_C[ST]AS_\w+?)_\d+-", r"\1-", name)


def _parsed(text: str) -> N.Statement | None:
    try:
        return parse_one(text)
    except KsqlkitError:
        return None


def _compare_record(place: str, wanted: Mapping[str, Any], actual: Mapping[str, Any]) -> None:
    for part in ("key", "value"):
        if not C.same(wanted.get(part), actual[part]):
            raise Mismatch(f"{place}: {part} is {_short(actual[part])}, expected {_short(wanted.get(part))}")
    if "timestamp" in wanted and int(wanted["timestamp"]) != actual["timestamp"]:
        raise Mismatch(f"{place}: timestamp is {actual['timestamp']}, expected {wanted['timestamp']}")
    window = wanted.get("window")
    if window is not None:
        have = actual["window"] or {}
        if any(have[k] != window[k] for k in have) or not have:
            raise Mismatch(f"{place}: window is {have}, expected {window}")
    if "headers" in wanted and C.headers_in(wanted["headers"]) != actual["headers"]:
        raise Mismatch(f"{place}: headers are {actual['headers']}, expected {wanted['headers']}")


def _short(value: Any) -> str:
    text = str(value) if isinstance(value, str) else C.dumps(_plain(value)).decode()
    return text if len(text) <= 300 else text[:297] + "..."


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value.hex() if isinstance(value, bytes) else value
