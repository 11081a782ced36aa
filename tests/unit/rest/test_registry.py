"""One engine's schema registry, used by another engine through its URL."""

from __future__ import annotations

import httpx
import pytest

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.serde.registry import split_prefix
from ksqlkit.engine.serde.remote_registry import RemoteRegistry
from ksqlkit.errors import StatementError, Unreachable
from tests.support.rest_server import rest_server

URL = "ksql.schema.registry.url"
EARLIEST = {"auto.offset.reset": "earliest"}


@pytest.mark.parametrize("kind", ["AVRO", "PROTOBUF", "JSON_SR"])
def test_an_engine_writes_and_reads_by_a_registry_elsewhere(kind: str) -> None:
    with rest_server(Engine(properties={URL: "embedded"})) as url:
        first = Engine(properties={URL: url})
        first.execute(
            f"CREATE STREAM S (ID BIGINT KEY, NAME STRING, V INT) "
            f"WITH (KAFKA_TOPIC='s', VALUE_FORMAT='{kind}', PARTITIONS=1);"
            "INSERT INTO S (ID, NAME, V) VALUES (1, 'ü', 7);"
        )
        record = first.read("s")[0]
        assert record.value is not None
        assert httpx.get(f"{url}/subjects").json() == ["s-value"]
        number = split_prefix(record.value)[0]
        assert httpx.get(f"{url}/subjects/s-value/versions/latest").json()["id"] == number
        # Another engine knows the columns from the registry, and reads what the first one wrote.
        second = Engine(properties={URL: url})
        second.create_topic("s")
        second.produce("s", record.key, record.value)
        second.execute(f"CREATE STREAM S (ID BIGINT KEY) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='{kind}');")
        second.execute("CREATE STREAM T WITH (VALUE_FORMAT='JSON') AS SELECT * FROM S;", properties=EARLIEST)
        second.run_until_idle()
        assert [r.value for r in second.read("T")] == ['{"NAME":"ü","V":7}'.encode()]
        first.close()
        second.close()


def test_a_refused_statement_registers_nothing() -> None:
    with rest_server(Engine(properties={URL: "embedded"})) as url:
        engine = Engine(properties={URL: url})
        stream = "CREATE STREAM S (A INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='AVRO', PARTITIONS=1);"
        with pytest.raises(StatementError):
            engine.execute(stream + "CREATE STREAM T AS SELECT NOPE FROM S;")
        assert httpx.get(f"{url}/subjects").json() == []
        engine.close()


def test_the_registrys_calls() -> None:
    with rest_server(Engine(properties={URL: "embedded"})) as url:
        registry = RemoteRegistry(url)
        schema = '{"type":"record","name":"R","fields":[{"name":"A","type":"int"}]}'
        entry = registry.register("a/b-value", "AVRO", schema)
        assert (entry.subject, entry.version) == ("a/b-value", 1)
        assert registry.register("a/b-value", "AVRO", schema) == entry
        assert registry.latest("a/b-value") == entry
        fresh = RemoteRegistry(url).by_id(entry.id)
        assert fresh is not None
        assert fresh.schema == schema
        assert registry.latest("none") is None
        assert registry.by_id(999) is None
        assert registry.delete_subject("a/b-value") == [1]
        assert registry.subjects() == []
        for schema in ("not json", '{"type": "nope"}', "{}"):
            refused = httpx.post(f"{url}/subjects/x/versions", json={"schema": schema})
            assert (refused.status_code, refused.json()["error_code"]) == (422, 42201)
        assert httpx.get(f"{url}/schemas/types").json() == ["JSON", "PROTOBUF", "AVRO"]


def test_no_registry_there_is_said_with_its_address() -> None:
    engine = Engine(properties={URL: "http://127.0.0.1:9"})
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        engine.execute("CREATE STREAM S (A INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='AVRO', PARTITIONS=1);")
    engine.close()
    with pytest.raises(StatementError, match="Invalid value nonsense"):
        Engine(properties={URL: "nonsense"})
