"""What people see of ksqlDB's answers: everything that the ksqlDB CLI shows of them."""

from __future__ import annotations

import pytest

from ksqlkit.cli.descriptions import type_text
from ksqlkit.cli.entities import print_entity
from ksqlkit.cli.session import Session
from ksqlkit.client.embedded import EmbeddedClient

SETUP = """
CREATE STREAM S (K BIGINT KEY, A STRING, H BYTES HEADER('h')) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=2);
CREATE TABLE T AS SELECT A, COUNT(*) AS N FROM S WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY A;
INSERT INTO S (K, A) VALUES (1, 'x');
"""


def shown(sql: str, capsys: pytest.CaptureFixture[str]) -> str:
    session = Session(EmbeddedClient.open(":memory:"), {"auto.offset.reset": "earliest"})
    session.run(SETUP)
    capsys.readouterr()
    session.run(sql)
    return capsys.readouterr().out


def test_describe_extended_shows_all_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown("DESCRIBE S EXTENDED;", capsys)
    for part in (
        "Timestamp field : Not set - using <ROWTIME>",
        "Key format      : KAFKA",
        "Value format    : JSON",
        "Kafka topic     : s (partitions: 2, replication: 1)",
        "Statement       : CREATE STREAM S (K BIGINT KEY",
        "(key)",
        "(header('h'))",
        "Sources that have a DROP constraint on this source\nT\n",
        "Queries that read from this STREAM\nCTAS_T_",
        "(RUNNING): CREATE TABLE T",
    ):
        assert part in text, text


def test_describe_extended_of_a_querys_sink_shows_its_offsets_and_statistics(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = shown("DESCRIBE T EXTENDED;", capsys)
    assert "(primary key) (window type: TUMBLING)" in text
    assert "Queries that write to this TABLE\nCTAS_T_" in text
    assert "Statistics of topic T" in text
    assert "total-messages" in text
    assert "Consumer group _confluent-ksql-default_query_CTAS_T_" in text
    assert "topic s, max lag 0" in text


def test_describe_alone_shows_columns_and_names_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown("DESCRIBE T;", capsys)
    assert "Kafka topic" not in text
    assert "EXTENDED" in text


def test_explain_shows_plan_topology_sources_and_settings(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(EmbeddedClient.open(":memory:"), {"auto.offset.reset": "earliest"})
    session.run(SETUP)
    name = session.client.execute("SHOW QUERIES;")[0]["queries"][0]["id"]
    capsys.readouterr()
    session.run(f"EXPLAIN {name};")
    text = capsys.readouterr().out
    for part in (
        "Query type      : PERSISTENT",
        "reads from\nS\n",
        "writes to\nT\n",
        "> [ SINK ]",
        "Topologies:",
        "auto.offset.reset",
    ):
        assert part in text, text


def test_a_function_is_told_with_its_variadic_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert "CONCAT(inputs VARCHAR...) -> VARCHAR" in shown("DESCRIBE FUNCTION CONCAT;", capsys)
    remote = {
        "@type": "describe_function",
        "name": "FRAUD_SCORE",
        "description": "Probability of fraud.",
        "path": "http://127.0.0.1:8090",
        "type": "SCALAR",
        "functions": [
            {
                "arguments": [
                    {"name": "FEATURES", "type": "DOUBLE", "description": "in order", "isVariadic": True}
                ],
                "returnType": "DOUBLE",
                "description": "",
            }
        ],
    }
    print_entity(remote)
    text = capsys.readouterr().out
    assert "FRAUD_SCORE(FEATURES DOUBLE...) -> DOUBLE" in text
    assert "FEATURES: in order" in text


def test_lists_of_topics_and_queries(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Partitions" in shown("SHOW TOPICS;", capsys)
    assert "Consumer groups" in shown("SHOW TOPICS EXTENDED;", capsys)
    text = shown("SHOW QUERIES;", capsys)
    assert "RUNNING:1" in text
    assert "COUNT(*) N FROM S S WINDOW TUMBLING" in text  # the statement on one line


@pytest.mark.parametrize(
    ("entity", "said"),
    [
        ({"@type": "assert_topic", "topicName": "t", "exists": True}, "Topic t exists."),
        (
            {"@type": "assert_schema", "subject": "t-value", "id": None, "exists": False},
            "Schema with subject t-value does not exist.",
        ),
        ({"@type": "terminate_query", "queryId": "Q_1", "wasTerminated": True}, "Query Q_1 terminated."),
        ({"@type": "warning_entity", "message": "already there"}, "already there"),
        ({"@type": "something_new", "size": 3}, "size"),
        (
            {"@type": "streams", "streams": [], "warnings": [{"message": "old"}]},
            "WARNING: old",
        ),
        (
            {
                "@type": "connector_list",
                "connectors": [{"name": "c", "type": "SOURCE", "className": "X", "state": "RUNNING"}],
            },
            "RUNNING",
        ),
    ],
)
def test_other_answers(entity: dict[str, object], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_entity(entity)
    assert said in capsys.readouterr().out


def test_types_as_text() -> None:
    decimal = {"type": "DECIMAL", "parameters": {"precision": 4, "scale": 2}}
    struct = {"type": "STRUCT", "fields": [{"name": "A", "schema": decimal}]}
    assert type_text({"type": "MAP", "memberSchema": struct}) == "MAP<STRING, STRUCT<A DECIMAL(4, 2)>>"
