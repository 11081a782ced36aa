"""Aggregates: cases are data; laws of merging, of stored states and of the inlined forms."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ksqlkit.dialect import parse_type
from ksqlkit.dialect import types as T
from ksqlkit.engine.functions.contract import ResolvedAggregate
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.log.codec import decode_state, encode_state
from ksqlkit.errors import DataError

CASES = json.loads(Path(__file__).with_name("aggregates.json").read_text(encoding="utf-8"))
REGISTRY = Registry()


def resolve(case: dict[str, Any]) -> ResolvedAggregate:
    name, types = case["call"]
    return REGISTRY.aggregate(name, [parse_type(t) for t in types], case.get("constants", []))


def shown(found: ResolvedAggregate, state: Any) -> Any:
    return found.result(state) if found.result else state


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['call'][0]}-{CASES.index(c)}")
def test_case(case: dict[str, Any]) -> None:
    found = resolve(case)
    state = found.init()
    for args in case["add"]:
        before = encode_state(state)
        new = found.add(state, *args)
        assert encode_state(state) == before, "add changed the state it was given"
        if found.inline_add:
            names = {f"a{i}": v for i, v in enumerate(args)}
            source = found.inline_add.format(*names, state="state")
            assert eval(source, {"state": state, **names}) == new
        state = decode_state(encode_state(new))
    assert shown(found, state) == case["result"]
    if "remove" in case:
        assert found.remove is not None
        assert shown(found, found.remove(state, *case["remove"])) == case["then"]


@pytest.mark.parametrize(
    "case", [c for c in CASES if c["add"]], ids=lambda c: f"{c['call'][0]}-{CASES.index(c)}"
)
def test_a_merge_of_two_sessions_is_one_session(case: dict[str, Any]) -> None:
    found = resolve(case)
    assert found.merge is not None
    first, second = found.init(), found.init()
    for args in case["add"][:1]:
        first = found.add(first, *args)
    for args in case["add"][1:]:
        second = found.add(second, *args)
    name = case["call"][0]
    if name == "LATEST_BY_OFFSET" and len(case["call"][1]) > 1:
        return  # ksqlDB's merge of the latest n values keeps the oldest
    if name == "EARLIEST_BY_OFFSET" and case.get("constants") == [False]:
        assert shown(found, found.merge(first, second)) is None
        return
    merged = shown(found, found.merge(first, second))
    assert merged == pytest.approx(case["result"]) if isinstance(merged, float) else merged == case["result"]


def test_decimal_sums_keep_their_type_and_do_not_overflow() -> None:
    found = REGISTRY.aggregate("SUM", [T.Decimal(4, 2)], [])
    assert found.returns == T.Decimal(4, 2)
    state = found.add(found.add(found.init(), Decimal("60.50")), Decimal("39.49"))
    assert str(state) == "99.99"
    with pytest.raises(
        DataError, match=r"precision 4 and scale 2 must round .* less than 10\^2\. Got 100\.0"
    ):
        found.add(state, Decimal("0.01"))
    assert found.remove is not None
    assert str(found.remove(state, Decimal("39.49"))) == "60.50"


def test_count_distinct_estimates_within_a_percent() -> None:
    found = REGISTRY.aggregate("COUNT_DISTINCT", [T.BIGINT], [])
    assert found.merge is not None
    parts = []
    for start in (0, 300):
        state = found.init()
        for i in range(start, start + 500):
            state = found.add(state, i)
        parts.append(state)
    assert shown(found, found.merge(*parts)) == pytest.approx(800, rel=0.01)


def test_latest_by_offset_orders_sessions_by_arrival() -> None:
    found = REGISTRY.aggregate("LATEST_BY_OFFSET", [T.STRING], [])
    assert found.merge is not None
    older = found.add(found.init(), "older")
    newer = found.add(found.init(), "newer")
    assert shown(found, found.merge(newer, older)) == "newer"
    assert shown(found, found.merge(older, found.init())) == "older"


def test_histogram_counts_each_null_anew() -> None:
    found = REGISTRY.aggregate("HISTOGRAM", [T.STRING], [])
    state = found.init()
    for value in (None, "a", None):
        state = decode_state(encode_state(found.add(state, value)))
    assert shown(found, state) == {None: 1, "a": 1}


def test_a_setting_limits_collections() -> None:
    for name, kept in (("COLLECT_LIST", [1, 1]), ("COLLECT_SET", [1, 2])):
        setting = {f"ksql.functions.{name.lower()}.limit": "2"}
        found = REGISTRY.aggregate(name, [T.INTEGER], [], setting)
        state = found.init()
        for value in (1, 1, 2, 3):
            state = found.add(state, value)
        assert state == kept
        assert found.merge is not None
        assert found.merge(state, [7, 8]) == kept
