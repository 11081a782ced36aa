"""Engines for tests: a fixed clock, topics read from their beginning, errors as text."""

from __future__ import annotations

from typing import Any

from ksqlkit.engine.clock import FixedClock
from ksqlkit.engine.engine import Engine
from ksqlkit.engine.log.protocol import Log
from ksqlkit.engine.results import Result
from ksqlkit.errors import KsqlkitError

NOW = 1_700_000_000_000


def make_engine(log: Log | None = None, **properties: object) -> Engine:
    """An engine whose clock stands at NOW and whose queries read from the beginning."""
    settings = {"auto.offset.reset": "earliest", **{k.replace("__", "."): v for k, v in properties.items()}}
    return Engine(log, clock=FixedClock(NOW), properties=settings)


def refused(engine: Engine, sql: str, **request: Any) -> KsqlkitError:
    """The error that a request gets."""
    try:
        engine.execute(sql, **request)
    except KsqlkitError as error:
        return error
    raise AssertionError(f"not refused: {sql}")


def one(engine: Engine, sql: str, **request: Any) -> Any:
    """The only answer of a request."""
    results: list[Result] = engine.execute(sql, **request)
    assert len(results) == 1, results
    return results[0]


ORDERS = (
    "CREATE STREAM orders (id VARCHAR KEY, customer VARCHAR, amount DOUBLE, qty INT) "
    "WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=2);"
)
CUSTOMERS = (
    "CREATE TABLE customers (cid VARCHAR PRIMARY KEY, name VARCHAR, level INT) "
    "WITH (KAFKA_TOPIC='customers', VALUE_FORMAT='JSON', PARTITIONS=2);"
)
PER_CUSTOMER = (
    "CREATE TABLE per_customer AS "
    "SELECT customer, COUNT(*) AS n, SUM(amount) AS total FROM orders GROUP BY customer;"
)


def feed_orders(engine: Engine, rows: str = "o1 alice 10.5 1|o2 bob 20 2|o3 alice 5.25 3") -> None:
    """Insert orders, "id customer amount qty" each, one second apart."""
    for number, row in enumerate(rows.split("|")):
        order, customer, amount, qty = row.split()
        engine.execute(
            f"INSERT INTO orders (ROWTIME, id, customer, amount, qty) "
            f"VALUES ({NOW + number * 1000}, '{order}', '{customer}', {amount}, {qty});"
        )
    engine.run_until_idle()
