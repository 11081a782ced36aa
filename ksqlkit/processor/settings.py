"""What a processor is told beside its query: where Kafka and the Schema Registry are, and how large batches may be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ksqlkit.errors import Location, ProjectError
from ksqlkit.processor.versions import Pins

PREFIX: Final = "KSQLKIT_KAFKA_"
# What exactly-once rests on.
OURS: Final = frozenset(
    (
        "group.id",
        "enable.auto.commit",
        "isolation.level",
        "transactional.id",
        "enable.idempotence",
        "group.instance.id",
    )
)


@dataclass(frozen=True, slots=True)
class Settings:
    """`kafka` are librdkafka's properties. `instance` is a name that stays with this process over restarts; a process
    of that name takes over at once what the one before left. `latency` is how long a transaction may take, in seconds.
    With `wait`, rows wait for a scoring server that is away; else their function's policy decides. With `to_end` the
    processor ends when it has worked off what was there at its start. `pins` are functions that keep their version.
    """

    kafka: Mapping[str, str]
    group: str | None = None
    instance: str | None = None
    latency: float = 1.0
    max_rows: int = 40_000
    wait: bool = True
    to_end: bool = False
    dead_topic: str | None = None
    state_topic: str | None = None
    start_timeout: float = 30.0
    pins: Pins = field(default_factory=Pins)
    registry: str | None = None
    registry_user_info: str | None = field(default=None, repr=False)


def kafka_properties(
    file: Path | None, brokers: str | None, environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """librdkafka's properties: those of a `.properties` file, then of the environment (KSQLKIT_KAFKA_SASL_PASSWORD is
    sasl.password), then the brokers. Raises ProjectError for a line that is none, and for what the processor sets."""
    found: dict[str, str] = {}
    if file is not None:
        found |= _read(file)
    given = os.environ if environment is None else environment
    for name, value in given.items():
        if name.startswith(PREFIX):
            found[name.removeprefix(PREFIX).lower().replace("_", ".")] = value
    if brokers:
        found["bootstrap.servers"] = brokers
    for name in sorted(OURS & found.keys()):
        raise ProjectError(
            f"The Kafka property {name!r} is set by the processor",
            hint="Use --group or --instance, or leave it out.",
        )
    for name, value in found.items():
        # librdkafka's own words on these are OpenSSL's.
        if name.startswith("ssl.") and name.endswith(".location") and not os.access(value, os.R_OK):
            why = "is not to be read" if os.path.exists(value) else "is not there"
            raise ProjectError(f"The Kafka property {name!r} names {value}, which {why}")
    if "bootstrap.servers" not in found:
        raise ProjectError("No Kafka broker is named", hint="Give --brokers HOST:PORT, or KSQLKIT_BROKERS.")
    return found


def _read(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except OSError as error:
        raise ProjectError(f"{file} cannot be read: {error.strerror}") from error
    found = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text[0] in "#!":
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            place = Location(str(file), number, 1, line)
            raise ProjectError("A line of Kafka properties is NAME=VALUE", location=place)
        found[name.strip()] = value.strip()
    return found
