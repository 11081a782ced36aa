"""The recorded cases of reading and writing."""

from __future__ import annotations

from typing import Any

import pytest

from ksqlkit.engine.serde import SerdeError, make_deserializer, make_serializer
from tests.support.serde_cases import bytes_of, columns_of, format_of, load_cases, value_of

READ = load_cases("read.jsonl")
WRITE = load_cases("write.jsonl")


@pytest.mark.parametrize("case", READ, ids=[c["name"] for c in READ])
def test_read(case: dict[str, Any]) -> None:
    read = make_deserializer(
        format_of(case), columns_of(case["columns"]), is_key=case.get("key", False), topic="t"
    )
    data = bytes_of(case, "data")
    if "error" in case:
        with pytest.raises(SerdeError) as caught:
            read(data)
        assert caught.value.message == case["error"]
        assert list(caught.value.causes) == case.get("causes", list(caught.value.causes))
    elif "pairs" in case:
        row = read(data)
        assert row is not None
        assert [list(pair) for pair in row[0].items()] == case["pairs"]
    else:
        row = read(data)
        expected = None if case["row"] is None else tuple(value_of(case["row"]))
        assert row == expected
        # Equal is not enough: 1 == 1.0 == True, and Decimal("1.5") == Decimal("1.50").
        assert repr(row) == repr(expected)


@pytest.mark.parametrize("case", WRITE, ids=[c["name"] for c in WRITE])
def test_write(case: dict[str, Any]) -> None:
    write = make_serializer(format_of(case), columns_of(case["columns"]), is_key=case.get("key", False))
    assert write(value_of(case["row"])) == bytes_of(case, "text")
