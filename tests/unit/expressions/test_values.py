"""Golden cases: type, value and message of an expression over one row."""

from __future__ import annotations

from typing import Any

import pytest

from ksqlkit.dialect import parse_expression
from ksqlkit.engine.expressions import compile_function, infer_type
from ksqlkit.engine.wire import make_row_encoder
from ksqlkit.errors import StatementError
from tests.support.expressions import COLUMNS, VALUES, golden, registry

TYPES = {column.name: column.type for column in COLUMNS}


def shown(text: str) -> tuple[str, str]:
    """Type and value of an expression; `error` where it raises."""
    expr = parse_expression(text)
    kind = infer_type(expr, TYPES, registry())
    assert kind is not None
    evaluate = compile_function([expr], COLUMNS, registry())
    try:
        value: tuple[Any, ...] = evaluate(VALUES)
    except Exception:
        return str(kind), "error"
    return str(kind), make_row_encoder([kind])(value).decode()[1:-1]


@pytest.mark.parametrize(("text", "kind", "value"), golden("values.txt"), ids=lambda part: part[:60])
def test_type_and_value(text: str, kind: str, value: str) -> None:
    assert shown(text) == (kind, value)


@pytest.mark.parametrize(("text", "message"), golden("errors.txt"), ids=lambda part: part[:60])
def test_message(text: str, message: str) -> None:
    expr = parse_expression(text)
    with pytest.raises(StatementError) as caught:
        compile_function([expr], COLUMNS, registry())
    assert caught.value.message.startswith(message.replace("\\n", "\n"))
    with pytest.raises(StatementError):
        infer_type(expr, TYPES, registry())
