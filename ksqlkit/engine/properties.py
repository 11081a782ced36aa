"""Configuration: the properties the engine knows, their defaults, and per-request overrides.

Names follow ksqlDB: `ksql.*` settings, and Kafka client or Streams settings with or without `ksql.streams.`.
Client settings that mean nothing to an embedded engine are accepted, so that clients that send them work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ksqlkit.engine.results import PropertyEntry
from ksqlkit.errors import StatementError

STREAMS_PREFIX: Final = "ksql.streams."


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("Expected value to be either true or false")
    return text.lower() == "true"


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("Not a number of type LONG") from None


def _text(text: str) -> str:
    return text


def _one_of(*values: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in values:
            raise ValueError(f"String must be one of: {', '.join(values)}")
        return text

    return check


@dataclass(frozen=True, slots=True)
class Property:
    """A property: its default, how text becomes its value, and whether a request may set it."""

    name: str
    default: Any = None
    parse: Callable[[str], Any] = _text
    editable: bool = True


_KSQL: Final = (
    Property("ksql.service.id", "default_", editable=False),
    Property("ksql.extension.dir", "ext", editable=False),
    Property("ksql.schema.registry.url", "", editable=False),
    Property("ksql.schema.registry.basic.auth.user.info", "", editable=False),
    Property("ksql.connect.url", "http://localhost:8083", editable=False),
    Property("ksql.output.topic.name.prefix", "", editable=False),
    Property("ksql.persistence.default.format.key", "KAFKA"),
    Property("ksql.persistence.default.format.value", None),
    Property("ksql.persistence.wrap.single.values", None, _boolean),
    Property("ksql.sink.partitions", None, _integer),
    Property("ksql.sink.replicas", None, _integer),
    Property("ksql.insert.into.values.enabled", True, _boolean, editable=False),
    Property("ksql.query.pull.enable", True, _boolean, editable=False),
    Property("ksql.query.pull.enable.standby.reads", False, _boolean),
    Property("ksql.query.pull.max.allowed.offset.lag", 2**63 - 1, _integer),
    Property("ksql.query.pull.table.scan.enabled", True, _boolean),
    Property("ksql.query.pull.range.scan.enabled", True, _boolean),
    Property("ksql.query.pull.stream.enabled", True, _boolean),
    Property("ksql.query.pull.interpreter.enabled", True, _boolean),
    Property("ksql.query.pull.limit.clause.enabled", True, _boolean),
    Property("ksql.query.pull.consistency.token.enabled", False, _boolean),
    Property("ksql.query.push.v2.enabled", False, _boolean),
    Property("ksql.query.push.v2.registry.installed", False, _boolean, editable=False),
    Property("ksql.query.push.v2.interpreter.enabled", True, _boolean),
    Property("ksql.query.push.v2.new.latest.delay.ms", 5000, _integer),
    Property("ksql.query.push.v2.continuation.tokens.enabled", False, _boolean),
    Property("ksql.query.push.v2.alos.enabled", True, _boolean),
    Property("ksql.query.persistent.active.limit", 2**31 - 1, _integer, editable=False),
    Property("ksql.query.error.max.queue.size", 10, _integer),
    Property("ksql.query.status.running.threshold.seconds", 300, _integer, editable=False),
    Property("ksql.functions.collect_list.limit", None, _integer),
    Property("ksql.functions.collect_set.limit", None, _integer),
    Property("ksql.functions.substring.legacy.args", False, _boolean),
    Property("ksql.cast.strings.preserve.nulls", True, _boolean),
    Property("ksql.timestamp.throw.on.invalid", False, _boolean),
    Property("ksql.fail.on.deserialization.error", False, _boolean),
    Property("ksql.fail.on.production.error", True, _boolean, editable=False),
    Property("ksql.suppress.enabled", True, _boolean),
    Property("ksql.suppress.buffer.size.bytes", -1, _integer),
    Property("ksql.windowed.session.key.legacy", False, _boolean, editable=False),
    Property("ksql.new.query.planner.enabled", False, _boolean),
    Property("ksql.create.or.replace.enabled", True, _boolean, editable=False),
    Property("ksql.source.table.materialization.enabled", True, _boolean, editable=False),
    Property("ksql.headers.columns.enabled", True, _boolean, editable=False),
    Property("ksql.json_sr.converter.deserializer.enabled", True, _boolean, editable=False),
    Property("ksql.variable.substitution.enable", True, _boolean),
    Property("ksql.assert.topic.default.timeout.ms", 1000, _integer),
    Property("ksql.assert.schema.default.timeout.ms", 1000, _integer),
    Property("ksql.logging.processing.stream.auto.create", False, _boolean, editable=False),
    Property("ksql.logging.processing.stream.name", "KSQL_PROCESSING_LOG", editable=False),
    Property("ksql.logging.processing.topic.auto.create", False, _boolean, editable=False),
    Property("ksql.logging.processing.topic.name", "default_ksql_processing_log", editable=False),
    Property("ksql.logging.processing.rows.include", False, _boolean, editable=False),
)

_STREAMS: Final = (
    Property("auto.offset.reset", "latest", _one_of("latest", "earliest", "none")),
    Property("cache.max.bytes.buffering", 10_000_000, _integer),
    Property("statestore.cache.max.bytes", 10_000_000, _integer),
    Property("commit.interval.ms", 2000, _integer),
    Property("num.stream.threads", 4, _integer),
    Property("num.standby.replicas", 0, _integer),
    Property("replication.factor", -1, _integer),
    Property("processing.guarantee", "at_least_once"),
    Property("max.task.idle.ms", 0, _integer),
    Property("state.dir", "", editable=False),
    Property("application.id", "", editable=False),
    Property("bootstrap.servers", "embedded", editable=False),
)

# Names of Kafka's own client settings that clients may send along; values are not interpreted.
_CLIENT: Final = frozenset(
    """acks allow.auto.create.topics auto.commit.interval.ms auto.include.jmx.reporter batch.size
    buffer.memory buffered.records.per.partition built.in.metrics.version check.crcs client.dns.lookup
    client.id client.rack compression.type connections.max.idle.ms default.api.timeout.ms
    default.deserialization.exception.handler default.key.serde default.production.exception.handler
    default.timestamp.extractor default.value.serde delivery.timeout.ms enable.auto.commit
    enable.idempotence exclude.internal.topics fetch.max.bytes fetch.max.wait.ms fetch.min.bytes
    group.id group.instance.id heartbeat.interval.ms interceptor.classes isolation.level
    key.deserializer key.serializer linger.ms max.block.ms max.in.flight.requests.per.connection
    max.partition.fetch.bytes max.poll.interval.ms max.poll.records max.request.size max.warmup.replicas
    metadata.max.age.ms metadata.max.idle.ms metric.reporters metrics.num.samples
    metrics.recording.level metrics.sample.window.ms partition.assignment.strategy partitioner.class
    poll.ms probing.rebalance.interval.ms receive.buffer.bytes reconnect.backoff.max.ms
    reconnect.backoff.ms repartition.purge.interval.ms request.timeout.ms retries retry.backoff.ms
    rocksdb.config.setter security.protocol send.buffer.bytes session.timeout.ms state.cleanup.delay.ms
    task.timeout.ms topology.optimization transaction.timeout.ms transactional.id upgrade.from
    value.deserializer value.serializer window.size.ms windowstore.changelog.additional.retention.ms
    use.exact.numeric.comparison""".split()  # noqa: SIM905
)

KNOWN: Final[dict[str, Property]] = {p.name: p for p in _KSQL + _STREAMS}


def base_name(name: str) -> str:
    """The name without `ksql.streams.` and the consumer and producer prefixes Streams takes."""
    for prefix in (STREAMS_PREFIX, "consumer.", "producer.", "main.consumer.", "restore.consumer."):
        name = name.removeprefix(prefix)
    return name


def is_known(name: str) -> bool:
    """Whether ksqlDB would recognise the name as a ksql, streams, consumer or producer property."""
    base = base_name(name)
    return base in KNOWN or base in _CLIENT or base.startswith(("ssl.", "sasl.", "topic.", "__", "internal."))


def coerce(name: str, value: object) -> Any:
    """The value of a property from what a user wrote. Raises StatementError for unknown names, bad values."""
    if not is_known(name):
        raise StatementError(f"Unknown property: {name}", hint="SHOW PROPERTIES lists the properties")
    known = KNOWN.get(base_name(name))
    if known is None or value is None:
        return value
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        return known.parse(text)
    except ValueError as error:
        raise StatementError(f"Invalid value {value} for configuration {name}: {error}") from None


def check_override(name: str, value: object) -> None:
    """Raise StatementError where a request gives a known property a bad value."""
    if not is_known(name):
        return
    try:
        coerce(name, value)
    except StatementError as error:
        cause = error.message.replace(" must be", "\n\tmust be")
        raise StatementError(
            f"Failed to coerce type of value '{value}' for key '{name}'\nCaused by: {cause}", error_code=40000
        ) from None


class Properties(Mapping[str, Any]):
    """Effective settings: overrides of a request over the engine's own over defaults.

    Look-ups take either form of a Streams name: `auto.offset.reset` or `ksql.streams.auto.offset.reset`.
    """

    def __init__(
        self, server: Mapping[str, object] | None = None, overrides: Mapping[str, object] | None = None
    ):
        self.server = {k: coerce(k, v) for k, v in (server or {}).items()}
        self.overrides = {k: coerce(k, v) for k, v in (overrides or {}).items()}
        self._values = {base_name(k): v for layer in (self.server, self.overrides) for k, v in layer.items()}

    def __getitem__(self, name: str) -> Any:
        base = base_name(name)
        if base in self._values:
            return self._values[base]
        return KNOWN[base].default

    def __iter__(self) -> Iterable[str]:  # type: ignore[override]
        return iter(dict.fromkeys([*KNOWN, *self._values]))

    def __len__(self) -> int:
        return len(set(KNOWN) | set(self._values))

    def with_overrides(self, overrides: Mapping[str, object]) -> Properties:
        """The same engine settings under a request's overrides (those here already stay below them)."""
        return Properties(self.server, {**self.overrides, **overrides})

    def check_request(self) -> None:
        """Raise StatementError where a request overrides what only the server may set."""
        banned = [n for n in self.overrides if (p := KNOWN.get(base_name(n))) is not None and not p.editable]
        if banned:
            raise StatementError(
                "One or more properties overrides set locally are prohibited by the KSQL server "
                f"(use UNSET to reset their default value): [{', '.join(sorted(banned))}]",
                error_code=40000,
            )

    def entries(self) -> tuple[PropertyEntry, ...]:
        """What SHOW PROPERTIES lists."""
        rows = []
        for prop in KNOWN.values():
            name = prop.name if prop.name.startswith("ksql.") else STREAMS_PREFIX + prop.name
            value = self[prop.name]
            text = None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            rows.append(PropertyEntry(name, "KSQL", text, prop.editable))
        return tuple(sorted(rows, key=lambda e: e.name))

    def overwritten(self) -> tuple[str, ...]:
        """Names a request or the server's settings changed, in the form SHOW PROPERTIES uses."""
        names = {base_name(n) for n in (*self.server, *self.overrides)}
        return tuple(sorted(n if n.startswith("ksql.") else STREAMS_PREFIX + n for n in names))
