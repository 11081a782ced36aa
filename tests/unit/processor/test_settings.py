"""Kafka's properties from file and environment, batch sizes, and what the page of metrics says."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from ksqlkit.errors import ProjectError, UserError
from ksqlkit.processor.counters import Counters, MetricsPage
from ksqlkit.processor.settings import Settings, kafka_properties
from ksqlkit.processor.sizing import FIRST, BatchSize


def test_the_environment_wins_over_the_file_and_the_option_over_both(tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text(f"# ours\n\nbootstrap.servers = file:1\nsasl.password=a=b\nssl.ca.location = {file}\n")
    environment = {"KSQLKIT_KAFKA_SASL_PASSWORD": "secret", "KSQLKIT_OTHER": "x"}
    assert kafka_properties(file, "option:1", environment) == {
        "bootstrap.servers": "option:1",
        "sasl.password": "secret",
        "ssl.ca.location": str(file),
    }


def test_secrets_are_not_shown() -> None:
    assert "hush" not in repr(Settings(kafka={}, registry_user_info="me:hush"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense\n", "NAME=VALUE"),
        ("group.id=x\nbootstrap.servers=a\n", "group.id"),
        ("", "No Kafka broker"),
        ("bootstrap.servers=a\nssl.ca.location=nowhere.pem\n", "ssl.ca.location.*nowhere.pem"),
    ],
)
def test_properties_that_are_wrong(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "client.properties"
    file.write_text(text)
    with pytest.raises(ProjectError, match=words):
        kafka_properties(file, None, {})


def test_batches_grow_while_there_is_time_and_shrink_when_there_is_none() -> None:
    size = BatchSize(1.0, 10_000)
    assert size.rows == FIRST
    for _ in range(40):
        size.observe(size.rows, 0.01 + size.rows * 0.0002)
    assert 3_000 < size.rows <= 5_000
    for _ in range(60):
        size.observe(size.rows, 0.01 + size.rows * 0.002)
    assert 300 < size.rows < 700


def test_one_slow_batch_is_soon_forgotten() -> None:
    size = BatchSize(1.0, 10_000)
    size.observe(500, 4.0)
    assert size.rows == 125
    for _ in range(7):
        size.observe(size.rows, 0.01 + size.rows * 0.00001)
    assert size.rows == 10_000
    size.observe(3, 0.02)
    assert size.rows == 10_000


def test_a_batch_is_never_of_nothing() -> None:
    size = BatchSize(0.1, 100)
    for _ in range(20):
        size.observe(size.rows, 5.0)
    assert size.rows >= 1
    assert BatchSize(0.1, 1).rows == 1


def test_the_page_of_metrics() -> None:
    counters = Counters()
    counters.read.add(5, processor="p")
    counters.dead.add(processor="p", code="TIMEOUT")
    with MetricsPage(counters, "127.0.0.1", 0) as page:
        with urllib.request.urlopen(f"http://127.0.0.1:{page.port}/metrics", timeout=5) as reply:
            text = reply.read().decode()
        assert 'ksqlkit_process_read_total{processor="p"} 5' in text
        assert 'code="TIMEOUT"' in text
        with pytest.raises(UserError, match=str(page.port)):
            MetricsPage(counters, "127.0.0.1", page.port)


def test_properties_that_librdkafka_does_not_know_are_named() -> None:
    pytest.importorskip("confluent_kafka")
    from ksqlkit.processor.kafka import make_consumer, make_producer

    wrong = {"bootstrap.servers": "127.0.0.1:1", "sasl.secret": "x"}
    with pytest.raises(ProjectError, match=r"sasl\.secret"):
        make_consumer(wrong, "group", None)
    with pytest.raises(ProjectError, match=r"sasl\.secret"):
        make_producer(wrong, "name")
