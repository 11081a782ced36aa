"""Functions with memory and models, called from SQL: every form resolves to its overload and comes back typed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.scoring import ScoringClient
from udf_server.inprocess import InProcess
from udf_server.models.store import ModelStore
from udf_server.tabular import Recipe
from udf_server.train_rows import Task, train_rows

ROW = {"T": 5, "TS": 6, "A": 0.9, "B": 0.1, "N": {"A": 0.9, "B": 0.1}}
EARLIEST = {"auto.offset.reset": "earliest"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("models")
    store, rnd = ModelStore(folder), random.Random(1)
    rows = [{"A": rnd.random(), "B": rnd.random()} for _ in range(120)]
    labelled = [{**r, "Y": int(r["A"] > r["B"])} for r in rows]
    for name in ("m", "failure"):
        train_rows(labelled, Task(label="Y", recipe=Recipe(trees=10)), store, name)
    train_rows(rows, Task(profile=True), store, "good")
    events = [{"U": f"u{i % 10}", "I": f"i{rnd.randrange(30)}"} for i in range(100)]
    train_rows(events, Task(user="U", item="I"), store, "recommend")
    runs = [{"U": i // 40, "S": float(i % 40), "Q": 1.0 + i % 2} for i in range(400)]
    train_rows(runs, Task(series="U"), store, "remaining-life")
    with ScoringClient("http://in.process", transport=InProcess(folder)) as client:
        registry = Registry()
        client.register_into(registry)
        made = Engine(functions=registry)
        made.execute(
            "CREATE STREAM S (K STRING KEY, T BIGINT, TS TIMESTAMP, A DOUBLE, B DOUBLE, N MAP<STRING, DOUBLE>) "
            "WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);"
        )
        made.produce("s", b"k", orjson.dumps(ROW), timestamp=5)
        yield made


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("ANOMALY_SCORE(K, ROWTIME, A)", float),
        ("ANOMALY_SCORE(K, TS, A)", float),
        ("ANOMALY_SCORE('pair', T, ARRAY[A, B])", float),
        ("ANOMALY_SCORE('placed', T, A, 's', ROWPARTITION, ROWOFFSET)", float),
        ("ANOMALY_SCORE_DETAIL(K, T, A)->STATUS", str),
        ("FAILURE_RISK(A, B)", float),
        ("FAILURE_RISK(STRUCT(A := A, B := B))", float),
        ("FAILURE_RISK(N)", float),
        ("REMAINING_LIFE(K, T, A, B)", float),
        ("REMAINING_LIFE_DETAIL(K, T, A, B)->ATTRIBUTIONS", dict),
        ("RECOMMEND('u1', 2)", list),
        ("ROUTE(N, ARRAY['x', 'y'])", str),
        ("ROUTE('p', N, ARRAY['x', 'y'])", str),
        ("ROUTE_FEEDBACK('p', N, 'x', 1.0)", float),
        ("ROUTE_FEEDBACK('p', N, 'x', 1.0, K)", float),
        ("VALIDATE(STRUCT(A := A, B := B + 7), 'good')[1]->KIND", str),
        ("VALIDATE(STRUCT(A := A), MAP('A' := 'max=0.1'))", list),
        ("PREDICT('m', A, B)", float),
        ("PREDICT('m@1', STRUCT(A := A, B := B))", float),
        ("PREDICT_PROBA('m', N)", dict),
        ("PREDICT_LABEL('m', A, B)", str),
        ("EXPLAIN('m', A, B)", dict),
        ("EXPLAIN('m', STRUCT(A := A, B := B), TRUE)", dict),
        ("EXPLAIN('m', N, TRUE)", dict),
        ("PREDICT_DETAIL('m', A, B)->ATTRIBUTIONS['A']", float),
    ],
)
def test_every_form_answers_in_sql(engine: Engine, expression: str, kind: type, request: Any) -> None:
    topic = f"R{abs(hash(request.node.name))}"
    sql = f"CREATE STREAM {topic} WITH (PARTITIONS=1) AS SELECT K, {expression} AS V FROM S EMIT CHANGES;"
    engine.execute(sql, properties=EARLIEST)
    engine.run_until_idle()
    [record] = engine.read(topic, 0, 0)
    assert isinstance(orjson.loads(record.value or b"{}")["V"], kind)
