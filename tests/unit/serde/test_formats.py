"""What formats refuse, and that functions are made once."""

from __future__ import annotations

import pytest

from ksqlkit.engine.catalog import Format
from ksqlkit.engine.serde import FORMATS, SerdeError, check_format, make_deserializer, make_serializer
from ksqlkit.errors import StatementError
from tests.support.serde_cases import columns_of

REFUSED = [
    ("KAFKA", "A BOOLEAN", "The 'KAFKA' format does not support type 'BOOLEAN'"),
    ("KAFKA", "A DECIMAL(4,2)", "The 'KAFKA' format does not support type 'DECIMAL'"),
    ("KAFKA", "A STRUCT<B INT>", "The 'KAFKA' format does not support type 'STRUCT'"),
    (
        "KAFKA",
        "A INT, B INT",
        "The 'KAFKA' format only supports a single field. Got: [`A` INTEGER, `B` INTEGER]",
    ),
    ("DELIMITED", "A ARRAY<INT>", "The 'DELIMITED' format does not support type 'ARRAY', column: `A`"),
    ("JSON", "A ARRAY<MAP<INT, INT>>", "JSON only supports MAP types with STRING keys"),
    ("NONE", "A INT", "The 'NONE' format can only be used when no columns are defined. Got: [`A` INTEGER]"),
    ("NOPE", "A INT", "Unknown format: NOPE"),
]


@pytest.mark.parametrize(("name", "columns", "message"), REFUSED)
def test_refused(name: str, columns: str, message: str) -> None:
    with pytest.raises(StatementError) as caught:
        make_deserializer(Format(name), columns_of(columns), is_key=False)
    assert caught.value.message == message


@pytest.mark.parametrize("delimiter", ["", " ", "ab", "tab"])
def test_bad_delimiters(delimiter: str) -> None:
    with pytest.raises(StatementError, match=r"[Dd]elimiter"):
        check_format(Format("DELIMITED", (("DELIMITER", delimiter),)), columns_of("A INT"))


def test_functions_are_made_once() -> None:
    columns = columns_of("A INT, B STRING")
    assert make_deserializer(Format("JSON"), columns, is_key=False) is make_deserializer(
        Format("JSON"), list(columns), is_key=False
    )
    assert make_serializer(Format("JSON"), columns, is_key=False) is not make_serializer(
        Format("JSON"), columns, is_key=False, topic="other"
    )


@pytest.mark.parametrize(
    ("columns", "row"),
    [("A STRING", [5]), ("A BYTES", ["x"]), ("A DECIMAL(4,2)", ["x"]), ("A DOUBLE", ["x"])],
)
def test_values_of_a_wrong_type_are_an_error(columns: str, row: list[object]) -> None:
    with pytest.raises(SerdeError, match="Error serializing message to topic: t"):
        make_serializer(Format("JSON"), columns_of(columns), is_key=False, topic="t")(row)


@pytest.mark.parametrize("depth", [600, 5000, 200_000])
def test_deep_documents_are_an_error(depth: int) -> None:
    read = make_deserializer(Format("JSON"), columns_of("A STRING"), is_key=False)
    with pytest.raises(SerdeError, match="nesting depth"):
        read(b'{"A":' + b"[" * depth + b"]" * depth + b"}")


@pytest.mark.parametrize("columns", ["A INT", "A INT, B INT"])
@pytest.mark.parametrize("other", [b"[]", b'""', b'["x"]', b'"x"'])
def test_what_iterates_like_an_object_is_none(columns: str, other: bytes) -> None:
    read = make_deserializer(Format("JSON"), columns_of(columns), is_key=False, topic=columns)
    assert {*(read(b"{}") or ()), *(read(b'{"x":1}') or ())} == {None}
    with pytest.raises(SerdeError, match="requiredType: STRUCT"):
        read(other)


def test_many_shapes_of_objects() -> None:
    read = make_deserializer(Format("JSON"), columns_of("A INT, B INT"), is_key=False)
    for i in range(600):
        assert read(b'{"x%d":0,"a":%d,"B":2}' % (i, i)) == (i, 2)


def test_every_format_is_listed() -> None:
    assert set(FORMATS) == {
        "AVRO", "DELIMITED", "JSON", "JSON_SR", "KAFKA", "NONE", "PROTOBUF", "PROTOBUF_NOSR"
    }  # fmt: skip
