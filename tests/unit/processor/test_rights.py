"""What Kafka refuses, in words that name what to set."""

from __future__ import annotations

from typing import Any

import pytest

from ksqlkit.errors import ServerError
from ksqlkit.processor.rights import Connections, Rights
from ksqlkit.processor.transactions import Transactions
from tests.support.processor_parts import Keeper

kafka = pytest.importorskip("confluent_kafka")
BOB = {"sasl.username": "bob", "bootstrap.servers": "k:9092"}
RIGHTS = Rights(BOB, "g", "in", ("out", "out_DEAD"))
HANDSHAKE = "ssl://k:9092/bootstrap: Receive failed: ssl/tls alert bad certificate (after 0ms in state X)"


@pytest.mark.parametrize(
    ("code", "writing", "message", "hint"),
    [
        (kafka.KafkaError._AUTHENTICATION, False, "does not accept bob", "sasl.password"),
        (kafka.KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, True, "transactional ids", "begin with g-"),
        (kafka.KafkaError.GROUP_AUTHORIZATION_FAILED, False, "the consumer group g", "--group"),
        (kafka.KafkaError.CLUSTER_AUTHORIZATION_FAILED, True, "let bob write", "IDEMPOTENT_WRITE"),
        (kafka.KafkaError.TOPIC_AUTHORIZATION_FAILED, False, "read the topic in", "READ"),
        (kafka.KafkaError.TOPIC_AUTHORIZATION_FAILED, True, "write its results", "out, out_DEAD"),
    ],
)
def test_what_is_refused_names_the_right(code: int, writing: bool, message: str, hint: str) -> None:
    found = RIGHTS.refusal(kafka.KafkaError(code, "refused"), writing=writing)
    assert found is not None
    assert message in found.message
    assert hint in (found.hint or "")


def test_what_may_pass_is_no_refusal() -> None:
    assert RIGHTS.refusal(kafka.KafkaError(kafka.KafkaError._TRANSPORT, "gone")) is None


def connections(*errors: tuple[int, str]) -> Connections:
    found = Connections(BOB)
    for code, text in errors:
        found.note(kafka.KafkaError(code, text))
    return found


def test_a_client_certificate_that_is_turned_down() -> None:
    found = connections((kafka.KafkaError._TRANSPORT, HANDSHAKE)).refusal(RIGHTS)
    assert found is not None
    assert "ssl.certificate.location" in (found.hint or "")
    assert "after 0ms" not in found.message


@pytest.mark.parametrize(
    ("errors", "message", "hint"),
    [
        ([], "within the time given", "--brokers"),
        ([(-193, "k:9092/bootstrap: Failed to resolve 'k:9092'")], "resolve", "--brokers"),
        ([(-195, "k:9092/bootstrap: Connect to k failed: refused")], "refused", "--brokers"),
        ([(-195, "k:9092/bootstrap: Disconnected")], "k:9092 hangs up", "security.protocol"),
        ([(-187, "1/1 brokers are down")], "k:9092 hangs up", "it is plaintext"),
    ],
)
def test_a_broker_that_is_away(errors: list[tuple[int, str]], message: str, hint: str) -> None:
    found = connections(*errors)
    assert found.refusal(RIGHTS) is None
    away = found.away()
    assert message in away.message
    assert hint in (away.hint or "")


@pytest.mark.parametrize("step", ["init_transactions", "commit_transaction"])
def test_a_transaction_that_is_refused_is_not_tried_again(step: str) -> None:
    class Refusing:
        def __getattr__(self, name: str) -> Any:
            def act(*_: Any, **__: Any) -> None:
                if name == step:
                    code = kafka.KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
                    raise kafka.KafkaException(kafka.KafkaError(code, "no", True))

            return act

    found = Transactions({}, "g", None, Keeper().pause, lambda *_: Refusing(), RIGHTS)
    with pytest.raises(ServerError, match="transactional ids of g"):
        found.commit([], [], None)
