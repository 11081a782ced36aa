"""What the recorded server had that the exchanges do not show: a jar of functions, rows that came by other ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ksqlkit.engine.functions.define import Aggregation
from ksqlkit.engine.functions.registry import Registry

_ORDER: Final = "INSERT INTO orders (ROWTIME, id, customer, amount, qty) VALUES ({});"
# exchange -> statements that were run before it by other ways
UNRECORDED: Final = {
    "265-query-print-topic": [
        _ORDER.format(row)
        for row in (
            "1700000000000, 'o1', 'alice', 10.5, 1",
            "1700000010000, 'o2', 'bob', 20.0, 2",
            "1700000065000, 'o3', 'alice', 5.25, 3",
            "1700000125000, 'o4', 'carol', 100.0, 4",
            "1700000130000, 'o5', 'bob', 1.0, 5",
            "1700000500000, 'o6', 'alice', 7.0, 6",
        )
    ],
    "636-query-before-restart-pull": [
        *["RESUME ALL;"] * 2,
        "CREATE TABLE per2 AS SELECT customer, COUNT(*) AS n FROM orders GROUP BY customer EMIT CHANGES;",
        "CREATE STREAM cs2 AS SELECT id, customer, amount FROM orders EMIT CHANGES;",
    ],
}
_JAR: Final = "/opt/ksqldb/ext/ref-udfs.jar"


def register(registry: Registry) -> None:
    """Add the functions of the jar."""

    def shout(text: str, times: int = 1) -> str:
        return text.upper() + "!" * times

    def squares(_: Sequence[Any], __: Sequence[Any]) -> Aggregation:
        return Aggregation(
            init=lambda: 0, add=lambda state, value: state if value is None else state + value * value
        )

    about: dict[str, Any] = {"author": "ref", "path": _JAR}
    registry.register_scalar("REF_SHOUT(VARCHAR s) -> VARCHAR", shout, version="1.0.2", **about)
    registry.register_scalar("REF_SHOUT(VARCHAR s, INT n) -> VARCHAR", shout, version="1.0.2", **about)
    registry.register_aggregate("REF_SUM_SQUARES(BIGINT val1) -> BIGINT", squares, version="0.1", **about)
    registry.register_table("REF_LETTERS(VARCHAR s) -> VARCHAR", list, version="0.1", **about)
