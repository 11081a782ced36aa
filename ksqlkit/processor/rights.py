"""Who a processor is to Kafka and what it has to be allowed: what Kafka refuses, in words that name what to set."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ksqlkit.errors import ServerError, Unreachable

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

PASSWORD: Final = "sasl.password (KSQLKIT_KAFKA_SASL_PASSWORD)"
# Alerts by which a broker turns a client's certificate down.
_ALERT: Final = re.compile(r"alert (?:bad certificate|certificate \w+|unknown ca|handshake failure)")
_WHERE: Final = re.compile(r"(?:\w+://)?(\[[^\]]+\]|[^/:\[]+):(\d+)/")


@dataclass(frozen=True, slots=True)
class Rights:
    """What a processor of a group has to be allowed: to read `source` and to write `writes`. `kafka` are its
    properties."""

    kafka: Mapping[str, str]
    group: str
    source: str | None
    writes: Sequence[str] = ()

    @property
    def who(self) -> str:
        """The name that Kafka knows it by, as far as its properties tell."""
        name = self.kafka.get("sasl.username") or self.kafka.get("ssl.certificate.location")
        return name or "a client without a name"

    def refusal(self, error: KafkaError, *, writing: bool = False) -> ServerError | None:
        """An error that does not pass by itself; None for others."""
        from confluent_kafka import KafkaError as Codes

        code, text = error.code(), error.str()
        if code in (Codes._AUTHENTICATION, Codes.SASL_AUTHENTICATION_FAILED):
            what = "sasl.mechanism" if "mechanism handshake" in text else f"sasl.username and {PASSWORD}"
            return ServerError(
                f"Kafka does not accept {self.who}: {_short(text)}",
                hint=f"Correct {what} in Kafka's properties.",
            )
        if code == Codes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            return ServerError(
                f"Kafka does not let {self.who} use transactional ids of {self.group}",
                hint=f"Allow it WRITE and DESCRIBE on transactional ids that begin with {self.group}-.",
            )
        if code == Codes.GROUP_AUTHORIZATION_FAILED:
            return ServerError(
                f"Kafka does not let {self.who} into the consumer group {self.group}",
                hint="Allow it READ on that group, or take another by --group.",
            )
        if code == Codes.CLUSTER_AUTHORIZATION_FAILED:
            return ServerError(
                f"Kafka does not let {self.who} write: {_short(text)}",
                hint="Allow it IDEMPOTENT_WRITE on the cluster.",
            )
        if code in (Codes.MSG_SIZE_TOO_LARGE, Codes.INVALID_RECORD, Codes.INVALID_TIMESTAMP) and writing:
            topics = ", ".join(self.writes)
            return ServerError(
                f"Kafka does not take what is to be written: {_short(text)}",
                hint=f"Look at max.message.bytes, cleanup.policy and message.timestamp.* of the topics {topics}.",
            )
        if code == Codes.TOPIC_AUTHORIZATION_FAILED:
            if writing:
                topics = ", ".join(self.writes)
                return ServerError(
                    f"Kafka does not let {self.who} write its results",
                    hint=f"Allow it WRITE on the topics {topics}.",
                )
            return ServerError(
                f"Kafka does not let {self.who} read the topic {self.source}",
                hint="Allow it READ (and DESCRIBE) on it.",
            )
        return None


class Connections:
    """What a client's connections came to: give `note` to it as its error_cb."""

    def __init__(self, kafka: Mapping[str, str]) -> None:
        self._kafka = kafka
        self._seen: list[KafkaError] = []

    def note(self, error: KafkaError) -> None:
        """An error of a connection."""
        self._seen.append(error)
        del self._seen[:-100]

    def refusal(self, rights: Rights) -> ServerError | None:
        """Why no broker lets us in, where trying again will not help."""
        from confluent_kafka import KafkaError as Codes

        for error in self._seen:
            text = error.str()
            if error.code() == Codes._SSL and "verify" in text:
                why = self._why(text)
                hint = "Name its authority's certificate in ssl.ca.location."
                if "expired" in why:
                    hint = "The broker needs a new one."
                elif "mismatch" in why:
                    hint = (
                        "Name the broker as its certificate does, in --brokers and its advertised.listeners."
                    )
                return ServerError(
                    f"The certificate of Kafka's broker is not to be trusted: {why}", hint=hint
                )
            if error.code() == Codes._SSL or _ALERT.search(text):
                return ServerError(
                    f"Kafka's broker does not accept our certificate: {_short(text)}",
                    hint="Set ssl.certificate.location and ssl.key.location to one that is valid and that it trusts.",
                )
            if (found := rights.refusal(error)) is not None:
                return found
        return None

    def away(self) -> Unreachable:
        """That no broker answers."""
        from confluent_kafka import KafkaError as Codes

        known = [_short(e.str()) for e in self._seen if e.code() != Codes._ALL_BROKERS_DOWN]
        if self._seen and all("isconnect" in text or "connection closed" in text for text in known):
            protocol = self._kafka.get("security.protocol", "plaintext")
            return Unreachable(
                f"Kafka's broker at {self._kafka.get('bootstrap.servers')} hangs up",
                hint=f"Set security.protocol to what it speaks there (it is {protocol}), or start it.",
            )
        return Unreachable(
            f"No Kafka broker answers ({known[-1] if known else 'within the time given'})",
            hint="Start it, or correct --brokers.",
        )

    def _why(self, text: str) -> str:
        """What is wrong with the broker's certificate, which librdkafka does not tell: OpenSSL is asked again."""
        place = _WHERE.match(text)
        if place is None:
            return _short(text)
        host, port = place[1].strip("[]"), int(place[2])
        try:
            context = ssl.create_default_context(cafile=self._kafka.get("ssl.ca.location"))
            with (
                socket.create_connection((host, port), 2.0) as line,
                context.wrap_socket(line, server_hostname=host),
            ):
                return _short(text)
        except ssl.SSLCertVerificationError as error:
            return f"{host}:{port}: {error.verify_message}"
        except OSError:
            return _short(text)


def _short(text: str) -> str:
    """An error without its times and places."""
    text = re.sub(r" \(after \d+ms in state \w+.*\)$", "", text)
    return re.sub(r"^(?:\w+://)?[^ ]+/(?:bootstrap|\d+): ", "", text).strip()
