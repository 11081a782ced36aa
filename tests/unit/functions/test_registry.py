"""Resolution by ksqlDB's rules, registration of a user's functions, and what SHOW and DESCRIBE FUNCTION say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from ksqlkit.dialect import types as T
from ksqlkit.engine.clock import FixedClock
from ksqlkit.engine.functions.contract import INTERVAL_UNIT, LambdaType
from ksqlkit.engine.functions.define import Aggregation
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.errors import DataError, KsqlkitError, StatementError

INTS = T.Array(T.INTEGER)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(clock=FixedClock(90_000_000))


def test_all_functions_of_ksqldb_are_there(registry: Registry) -> None:
    assert Counter(f.type for f in registry.list()) == {"SCALAR": 129, "AGGREGATE": 18, "TABLE": 2}
    assert all(f.description and f.variations for f in registry.list())


@pytest.mark.parametrize(
    ("name", "args", "params", "returns"),
    [
        ("abs", (T.INTEGER,), (T.INTEGER,), T.INTEGER),
        ("SIN", (T.Decimal(4, 2),), (T.DOUBLE,), T.DOUBLE),
        ("LOG", (T.INTEGER, T.DOUBLE), (T.DOUBLE, T.DOUBLE), T.DOUBLE),
        ("ROUND", (T.Decimal(6, 2),), (T.Decimal(6, 2),), T.Decimal(4, 0)),
        (
            "GREATEST",
            (T.Decimal(9, 0), T.Decimal(4, 1)),
            (T.Decimal(9, 0), T.Decimal(4, 1)),
            T.Decimal(10, 1),
        ),
        ("COALESCE", (INTS, INTS, None), (INTS, INTS, None), INTS),
        ("FORMAT_DATE", (T.STRING, T.STRING), (T.DATE, T.STRING), T.STRING),
        ("DATEADD", (INTERVAL_UNIT, T.INTEGER, T.DATE), (INTERVAL_UNIT, T.INTEGER, T.DATE), T.DATE),
        ("MAP_VALUES", (T.Map(T.STRING, INTS),), (T.Map(T.STRING, INTS),), T.Array(INTS)),
    ],
)
def test_resolves(registry: Registry, name: str, args: Any, params: Any, returns: T.SqlType) -> None:
    found = registry.scalar(name, args)
    assert (found.params, found.returns) == (params, returns)


def test_says_what_would_fit(registry: Registry) -> None:
    with pytest.raises(StatementError) as caught:
        registry.scalar("SUBSTRING", [T.INTEGER, None])
    assert caught.value.message == (
        "Function 'substring' does not accept parameters (INTEGER, null).\n"
        "Valid alternatives are:\n"
        "SUBSTRING(VARCHAR str, INT pos, INT length)\n"
        "SUBSTRING(BYTES bytes, INT pos, INT length)\n"
        "SUBSTRING(BYTES bytes, INT pos)\n"
        "SUBSTRING(VARCHAR str, INT pos)\n"
        "For detailed information on a function run: DESCRIBE FUNCTION <Function-Name>;"
    )


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        (
            "COALESCE",
            [T.INTEGER, None],
            "Function 'COALESCE' cannot be resolved due to ambiguous method parameters",
        ),
        ("IFNULL", [None, T.INTEGER], "NULL literal"),
        ("IFNULL", [T.STRING, T.INTEGER], "does not accept parameters (STRING, INTEGER)"),
        ("CONCAT", [T.Array(T.STRING)], "Cast of ARRAY<STRING> to STRING is not supported."),
        ("NOPE", [], "Can't find any functions with the name 'NOPE'"),
        ("SUM", [T.INTEGER], "Can't find any functions with the name 'SUM'"),
        ("ROUND", [T.Decimal(2, 2)], "schema provider method"),
    ],
)
def test_refuses(registry: Registry, name: str, args: Any, message: str) -> None:
    with pytest.raises(StatementError) as caught:
        registry.scalar(name, args)
    assert message in caught.value.message


def test_lambdas_are_typed_from_the_other_arguments(registry: Registry) -> None:
    unknown = LambdaType((None, None), None)
    assert registry.lambda_params("REDUCE", 2, [INTS, T.BIGINT, unknown]) == (T.BIGINT, T.INTEGER)
    known = LambdaType((T.BIGINT, T.INTEGER), T.BIGINT)
    found = registry.scalar("REDUCE", [INTS, T.BIGINT, known])
    assert found.returns == T.BIGINT
    assert found.fn([1, 2, 3], 10, lambda state, x: state + x) == 16
    with pytest.raises(StatementError, match="Cannot map S to both BIGINT and STRING"):
        registry.scalar("REDUCE", [INTS, T.BIGINT, LambdaType((T.BIGINT, T.INTEGER), T.STRING)])


def test_aggregates_take_no_casts_and_count_their_constants(registry: Registry) -> None:
    assert registry.constants("TOPK", [T.INTEGER, T.STRING, T.INTEGER]) == 1
    found = registry.aggregate("TOPK", [T.INTEGER, T.STRING, T.INTEGER], [2])
    assert str(found.returns) == "ARRAY<STRUCT<`sort_col` INTEGER, `col0` STRING>>"
    assert found.params == (T.INTEGER, T.STRING)
    with pytest.raises(StatementError, match="does not accept parameters"):
        registry.aggregate("SUM", [T.STRING], [])
    with pytest.raises(StatementError, match="Failed to invoke UDAF factory method"):
        registry.aggregate("LATEST_BY_OFFSET", [T.STRING, T.INTEGER], [0])


def test_asks_the_clock(registry: Registry) -> None:
    assert registry.scalar("UNIX_TIMESTAMP", []).fn() == 90_000_000
    assert registry.scalar("UNIX_DATE", []).fn() == 1
    assert not registry.scalar("UNIX_DATE", []).deterministic


def test_null_is_an_error_where_java_has_no_null(registry: Registry) -> None:
    found = registry.scalar("TIMESTAMPTOSTRING", [T.BIGINT, T.STRING])
    assert not found.null_propagates
    assert found.fn(0, None) is None
    with pytest.raises(DataError, match="epochMilli must not be NULL"):
        found.fn(None, "yyyy")


def test_user_functions() -> None:
    registry = Registry(builtin=False)

    @registry.register_scalar("SHOUT(VARCHAR s) -> VARCHAR", author="me", version="1.2")
    def shout(text: str) -> str:
        """Shouts."""
        return text.upper() + "!"

    registry.register_scalar("SHOUT(VARCHAR s, INT n) -> VARCHAR", lambda s, n: s.upper() + "!" * n)
    registry.register_table("LETTERS(VARCHAR s) -> VARCHAR", list)

    @registry.register_aggregate("LONGEST(VARCHAR s) -> VARCHAR")
    def longest(types: Sequence[T.SqlType], constants: Sequence[Any]) -> Aggregation:
        return Aggregation(init=lambda: "", add=lambda state, s: max(state, s or "", key=len))

    assert registry.scalar("shout", [T.STRING, T.INTEGER]).fn("a", 2) == "A!!"
    assert registry.table("LETTERS", [T.STRING]).fn("ab") == ["a", "b"]
    assert registry.aggregate("LONGEST", [T.STRING], []).add("ab", "c") == "ab"
    about = registry.describe("shout")
    assert (about.description, about.author, about.version, len(about.variations)) == (
        "Shouts.",
        "me",
        "1.2",
        2,
    )
    with pytest.raises(ValueError, match="built-in"):
        Registry().register_scalar("ABS(INT x) -> INT", abs)
    with pytest.raises(ValueError, match="Unknown type"):
        registry.register_scalar("BAD(WORD w) -> INT", len)
    registry.remove("Shout")
    assert registry.kind("SHOUT") is None


class Doubler:
    """A remote function that fails for negative numbers."""

    def __init__(self) -> None:
        self.calls = 0

    def call(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        self.calls += 1
        return [ValueError("negative") if r[0] < 0 else {"v": r[0] * 2} for r in rows]


def test_remote_functions_can_be_replaced() -> None:
    registry = Registry()
    call = Doubler()
    overload = {"args": [{"name": "x", "type": "BIGINT"}], "returns": "STRUCT<`v` BIGINT>"}
    registry.register_remote(
        "twice", [overload], call, description="Doubles.", version="3", deterministic=False
    )
    found = registry.scalar("TWICE", [T.INTEGER])
    assert found.remote is call
    assert (str(found.returns), found.params, found.deterministic) == (
        "STRUCT<`v` BIGINT>",
        (T.BIGINT,),
        False,
    )
    assert found.fn(4) == {"v": 8}
    with pytest.raises(ValueError, match="negative"):
        found.fn(-1)
    registry.register_remote("TWICE", [{**overload, "variadic": True, "returns": "DECIMAL(5, 2)"}], call)
    assert registry.scalar("TWICE", [T.BIGINT] * 3).returns == T.Decimal(5, 2)
    assert registry.describe("TWICE").variations[0].arguments[0].variadic
    with pytest.raises(KsqlkitError):
        registry.register_remote("TWICE", [{**overload, "returns": "NO TYPE<"}], call)


def test_a_struct_that_may_be_any_is_described_as_just_that() -> None:
    registry = Registry()
    overload = {"args": [{"name": "x", "type": "STRUCT< >"}], "variadic": True, "returns": "BIGINT"}
    registry.register_remote("MANY", [overload], Doubler())
    (described,) = registry.describe("MANY").variations[0].arguments
    assert (described.type, described.variadic) == ("STRUCT", True)
