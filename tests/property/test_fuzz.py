"""Damaged SQL and damaged records: callers see errors of ours alone, and the engine goes on working."""

from __future__ import annotations

import random

import pytest

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.push import PushQuery
from ksqlkit.errors import KsqlkitError
from tests.support.engines import make_engine
from tests.support.fuzzing import DEEP, SOURCES, STATEMENTS, documents, mutate


def attempt(engine: Engine, text: str, properties: dict[str, object] | None = None) -> bool:
    """Run a text both ways; whether either worked. Anything but an error of ours comes through."""
    worked = False
    for run in (engine.execute, engine.query):
        try:
            found = run(text, properties=properties)
        except KsqlkitError:
            pass
        else:
            worked = True
            if not isinstance(found, list) and hasattr(found, "close"):
                found.close()
    return worked


def usable(engine: Engine) -> None:
    """A stream over a new topic takes a row to its end."""
    number = len(engine.topics())
    engine.execute(
        f"CREATE STREAM fine{number} (id STRING KEY, v INT) "
        f"WITH (kafka_topic='fine{number}', value_format='JSON', partitions=1);"
        f"CREATE STREAM better{number} AS SELECT id, v + 1 AS w FROM fine{number};",
        properties={"auto.offset.reset": "earliest"},
    )
    engine.produce(f"fine{number}", b"k", b'{"V":41}')
    engine.run_until_idle()
    assert [(r.key, r.value) for r in engine.read(f"BETTER{number}")] == [(b"k", b'{"W":42}')]


def damage(seed: int, count: int) -> int:
    """How many of `count` damaged texts still worked. A new engine every now and then, as damage piles up."""
    chance, worked = random.Random(seed), 0
    engine = make_engine()
    for number in range(count):
        if number % 150 == 0:
            usable(engine)
            engine.close()
            engine = make_engine()
            engine.execute(SOURCES)
        text = mutate(chance, chance.choice(STATEMENTS))
        try:
            worked += attempt(engine, text)
            if number % 10 == 0:
                engine.insert("q", {"ID": "a", "V": number})
                engine.run_until_idle()
        except KsqlkitError:
            pass  # the target of the insert is gone or changed, which the text may have done
        except Exception as error:
            raise AssertionError(f"seed {seed}, text {number}: {text!r} gave {error!r}") from error
    usable(engine)
    engine.close()
    return worked


def test_the_undamaged_statements_work() -> None:
    for text in STATEMENTS:
        with make_engine() as engine:
            engine.execute(SOURCES)
            assert attempt(engine, text), text


def test_damaged_sql() -> None:
    assert 0 < damage(1, 60) < 60


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_much_damaged_sql(seed: int) -> None:
    assert 0 < damage(seed, 600) < 600


@pytest.mark.slow
@pytest.mark.parametrize("text", DEEP, ids=[t[:24].encode("unicode_escape").decode() for t in DEEP])
def test_deep_and_long_sql(text: str) -> None:
    with make_engine() as engine:
        engine.execute(SOURCES)
        attempt(engine, text)
        engine.run_until_idle()
        usable(engine)


QUERIES = [text for text in STATEMENTS if text.startswith("CREATE") and " o" in text]


def feed(seed: int, count: int, value_format: str) -> None:
    chance = random.Random(seed)
    with make_engine(
        **{"ksql.schema.registry.url": "embedded", "ksql.logging.processing.stream.auto.create": True}
    ) as engine:
        engine.execute(
            SOURCES.replace("'JSON'", f"'{value_format}'") if value_format != "DELIMITED" else SOURCES
        )
        for text in QUERIES:
            engine.execute(text)
        push = engine.query("SELECT * FROM s EMIT CHANGES;")
        assert isinstance(push, PushQuery)
        for number, value in enumerate(documents(chance, count)):
            key = chance.choice((None, b"", b"a", b"b", b"\xff\xfe"))
            topic = chance.choice("srq")
            engine.produce(topic, key, value, timestamp=chance.choice((0, 1, 10**12, 10**15, number)))
        engine.run_until_idle()
        push.close()
        failed = {q.id: q.state for q in engine.context.queries.values() if q.state == "ERROR"}
        assert not failed, [e.error_message for q in failed for e in engine.context.query_errors(q)]
        for query in (
            "SELECT * FROM o2;",
            "SELECT * FROM o3;",
            "SELECT * FROM s;",
            "SELECT * FROM ksql_processing_log;",
        ):
            found = engine.query(query)
            if isinstance(found, PushQuery):
                list(found)
        for topic, info in engine.topics().items():
            for partition in range(info.partitions):
                engine.read(topic, partition)
        usable(engine)


def test_damaged_records() -> None:
    feed(1, 100, "JSON")


@pytest.mark.slow
@pytest.mark.parametrize("value_format", ["JSON", "AVRO", "PROTOBUF", "JSON_SR", "PROTOBUF_NOSR"])
def test_many_damaged_records(value_format: str) -> None:
    feed(2, 1_500, value_format)


def test_a_query_too_deep_to_run_leaves_nothing() -> None:
    with make_engine() as engine:
        engine.execute(SOURCES)
        before = set(engine.topics())
        text = "CREATE STREAM deep AS SELECT id, " + "UCASE(" * 120 + "e" + ")" * 120 + " AS x FROM s;"
        with pytest.raises(KsqlkitError, match="too many nested expressions"):
            engine.execute(text)
        assert engine.context.catalog.get("DEEP") is None
        assert set(engine.topics()) == before
        assert not engine.context.queries
        engine.execute(text.replace("UCASE(" * 120, "UCASE(" * 3).replace(")" * 120, ")" * 3))
