"""`ksqlkit process` and a broker that asks who one is: what it needs to get in, and what it says where it does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from ksqlkit.errors import KsqlkitError
from ksqlkit.processor.counters import Counters
from ksqlkit.processor.processor import Tally
from ksqlkit.processor.settings import Settings
from ksqlkit.processor.spec import read_file
from ksqlkit.processor.start import Scoring, run_one
from tests.support import certificates
from tests.support.kafka_broker import missing
from tests.support.kafka_processor import Processing
from tests.support.kafka_secure import PASSWORD, SecureBroker

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.checkout]
Properties = dict[str, str]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    if reason := missing() or certificates.missing():
        pytest.skip(reason)
    with SecureBroker(tmp_path_factory.mktemp("kafka")) as running:
        yield running


def write_query(folder: Path, broker: SecureBroker, name: str) -> Path:
    """A query from topic NAME_IN, which has ten records, to NAME."""
    broker.create(f"{name}_IN", 1)
    broker.produce(f"{name}_IN", [(0, b"k", orjson.dumps({"X": i})) for i in range(10)])
    path = folder / f"{name}.sql"
    path.write_text(
        f"CREATE STREAM S (K STRING KEY, X DOUBLE) WITH (KAFKA_TOPIC='{name}_IN', VALUE_FORMAT='JSON');"
        f"CREATE STREAM {name} AS SELECT K, ABS(X) AS A FROM S;"
    )
    return path


def run(query: Path, folder: Path, kafka: Properties, patience: float = 20.0) -> Tally | KsqlkitError:
    """What a processor has done at the input's end, or why it could not."""
    settings = Settings(kafka=kafka, to_end=True, start_timeout=patience)
    scoring = Scoring.here(folder / "models", folder / "functions")
    try:
        return run_one(read_file(query), settings, scoring, Counters(), threading.Event())
    except KsqlkitError as error:
        return error


def as_user(
    broker: SecureBroker, user: str, mechanism: str = "PLAIN", password: str = PASSWORD
) -> Properties:
    return {
        "bootstrap.servers": broker.sasl,
        "security.protocol": "sasl_ssl",
        "ssl.ca.location": str(broker.authority.certificate),
        "sasl.mechanism": mechanism,
        "sasl.username": user,
        "sasl.password": password,
    }


def by_certificate(broker: SecureBroker, authority: certificates.Authority, name: str) -> Properties:
    return {
        "bootstrap.servers": broker.mutual,
        "security.protocol": "ssl",
        "ssl.ca.location": str(broker.authority.certificate),
        "ssl.certificate.location": str(authority.folder / f"{name}.pem"),
        "ssl.key.location": str(authority.folder / f"{name}.key"),
    }


def test_the_command_takes_a_file_and_the_password_from_the_environment(
    broker: SecureBroker, tmp_path: Path
) -> None:
    query = write_query(tmp_path, broker, "SCRAM")
    given = as_user(broker, "alice", "SCRAM-SHA-512")
    del given["sasl.password"], given["bootstrap.servers"]
    file = tmp_path / "client.properties"
    file.write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    options = ("--kafka", str(file), "--here", "--to-end")
    for password, code in ((PASSWORD, 0), ("guessed", 3)):
        env = {"KSQLKIT_KAFKA_SASL_PASSWORD": password}
        with Processing(query, broker.sasl, *options, env=env) as process:
            done = process.end(stop=False, code=code, timeout=30.0)
        assert done.get("written", 0) == (10 if code == 0 else 0)
        assert password not in process.log
    assert "Kafka does not accept alice" in process.log
    assert "sasl.password (KSQLKIT_KAFKA_SASL_PASSWORD)" in process.log


def test_plain_passwords_and_certificates(broker: SecureBroker, tmp_path: Path) -> None:
    broker.authority.sign("alice")
    for name, kafka in (
        ("PLAIN", as_user(broker, "alice")),
        ("MUTUAL", by_certificate(broker, broker.authority, "alice")),
    ):
        done = run(write_query(tmp_path, broker, name), tmp_path, kafka)
        assert isinstance(done, Tally), done
        assert done.written == 10


def test_who_is_not_let_in_is_told_what_to_set(broker: SecureBroker, tmp_path: Path) -> None:
    query = write_query(tmp_path, broker, "OUTSIDE")
    good = as_user(broker, "alice")
    other = certificates.Authority(tmp_path / "other", "nobody")
    other.sign("mallory")
    broker.authority.sign("late", expired=True)
    cases: list[tuple[Properties, str, str]] = [
        (as_user(broker, "alice", password="guessed"), "does not accept alice", "sasl.password"),
        (as_user(broker, "eve", "SCRAM-SHA-512"), "does not accept eve", "sasl.username"),
        (as_user(broker, "alice", "SCRAM-SHA-256"), "SCRAM-SHA-512,PLAIN", "sasl.mechanism"),
        (good | {"ssl.ca.location": str(other.certificate)}, "not to be trusted", "ssl.ca.location"),
        (good | {"bootstrap.servers": broker.expired}, "has expired", "a new one"),
        (
            by_certificate(broker, other, "mallory"),
            "does not accept our certificate",
            "ssl.certificate.location",
        ),
        (
            by_certificate(broker, broker.authority, "late"),
            "does not accept our certificate",
            "ssl.key.location",
        ),
        ({"bootstrap.servers": broker.sasl}, "hangs up", "security.protocol"),
        (good | {"bootstrap.servers": broker.address}, "hangs up", "security.protocol"),
    ]
    with ThreadPoolExecutor(len(cases)) as pool:
        ends = list(pool.map(lambda case: run(query, tmp_path, case[0], 2.0), cases))
    for (kafka, message, hint), end in zip(cases, ends, strict=True):
        assert isinstance(end, KsqlkitError), kafka
        assert end.exit_code == 3
        assert message in end.message, end.render()
        assert hint in (end.hint or ""), end.render()


def test_each_right_that_is_missing_is_named(broker: SecureBroker, tmp_path: Path) -> None:
    query = write_query(tmp_path, broker, "BOBS")
    kafka = as_user(broker, "bob")
    steps = [
        ("read the topic BOBS_IN", "READ", ("TOPIC", "BOBS_IN", "DESCRIBE")),
        ("The topic BOBS cannot be made", "CREATE", ("TOPIC", "BOBS", "CREATE")),
        ("transactional ids", "ksqlkit-BOBS-", ("TRANSACTIONAL_ID", "ksqlkit-BOBS-", "WRITE")),
        ("the consumer group ksqlkit-BOBS", "--group", ("GROUP", "ksqlkit-BOBS", "READ")),
        ("read the topic BOBS_IN", "READ", ("TOPIC", "BOBS_IN", "READ")),
        ("write its results", "WRITE on the topics BOBS, BOBS_DEAD", ("TOPIC", "BOBS", "WRITE")),
    ]
    for message, hint, (kind, name, operation) in steps:
        end = run(query, tmp_path, kafka)
        assert isinstance(end, KsqlkitError), f"not refused: {message}"
        assert end.exit_code == 3
        assert message in end.message, end.render()
        assert hint in (end.hint or ""), end.render()
        broker.allow("bob", kind, name, operation, prefix=not name.endswith("_IN"))
    done = run(query, tmp_path, kafka)
    assert isinstance(done, Tally), done
    assert done.written == 10
    assert len(broker.read("BOBS")[0]) == 10
