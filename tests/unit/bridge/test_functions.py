from __future__ import annotations

import struct
from typing import Any

import pytest

from ksqlkit.bridge.classfile import Annotation, ClassFile, Constants, modified_utf8
from ksqlkit.bridge.functions import function_class, generic_entries
from ksqlkit.bridge.javatypes import annotated, java_class, loader_form, signature
from ksqlkit.dialect import parse_type
from ksqlkit.dialect import types as T


def entry(*overloads: tuple[str, str], variadic: bool = False, name: str = "F") -> dict[str, Any]:
    forms = [
        {
            "args": [{"name": f"A{i}", "type": t} for i, t in enumerate(args.split(";"))],
            "variadic": variadic,
            "returns": returns,
        }
        for args, returns in overloads
    ]
    return {"name": name, "description": "", "overloads": forms}


def texts(content: bytes) -> set[str]:
    """The texts of a class file's constants."""
    magic, minor, major, count = struct.unpack_from(">IHHH", content)
    assert (magic, minor, major) == (0xCAFEBABE, 0, 55)
    at, found = 10, set()
    for _ in range(count - 1):
        tag = content[at]
        if tag == 1:
            (length,) = struct.unpack_from(">H", content, at + 1)
            found.add(content[at + 3 : at + 3 + length].decode())
            at += 3 + length
        else:
            at += {7: 3, 8: 3, 10: 5, 12: 5}[tag]
    return found


def test_text_is_in_javas_own_utf8() -> None:
    assert modified_utf8("a\0é") == b"a\xc0\x80\xc3\xa9"
    assert modified_utf8("🎈") == b"\xed\xa0\xbc\xed\xbe\x88"


def test_a_constant_is_there_once() -> None:
    pool = Constants()
    assert pool.class_("x") == pool.class_("x") != pool.string("x")
    assert pool.dump()[:2] == b"\0\4"


def test_what_a_class_file_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        ClassFile("a", "b", Annotation("c", {"d": "x" * 70_000})).dump()


@pytest.mark.parametrize(
    ("type_", "java", "generic"),
    [
        ("BIGINT", "java/lang/Long", "Ljava/lang/Long;"),
        ("BYTES", "java/nio/ByteBuffer", "Ljava/nio/ByteBuffer;"),
        ("ARRAY<ARRAY<DATE>>", "java/util/List", "Ljava/util/List<Ljava/util/List<Ljava/sql/Date;>;>;"),
        ("MAP<VARCHAR, TIME>", "java/util/Map", "Ljava/util/Map<Ljava/lang/String;Ljava/sql/Time;>;"),
        (
            "STRUCT<A INT>",
            "org/apache/kafka/connect/data/Struct",
            "Lorg/apache/kafka/connect/data/Struct;",
        ),
    ],
)
def test_types_in_java(type_: str, java: str, generic: str) -> None:
    assert java_class(parse_type(type_)) == java
    assert signature(parse_type(type_)) == generic


def test_only_what_java_does_not_say_is_annotated() -> None:
    anything, some = parse_type("STRUCT< >"), parse_type("ARRAY<STRUCT<A INT>>")
    assert not annotated(anything, returned=False), (
        "a struct without fields takes any struct only unannotated"
    )
    assert annotated(some, returned=False)
    assert annotated(parse_type("MAP<VARCHAR, DECIMAL(4, 2)>"), returned=True)
    assert not annotated(parse_type("DECIMAL(4, 2)"), returned=False)
    assert not annotated(parse_type("ARRAY<DOUBLE>"), returned=True)


def test_a_type_by_name_is_no_type_of_a_function() -> None:
    with pytest.raises(ValueError, match="no type of a function"):
        java_class(T.Named("X"))


def test_a_class_says_its_types() -> None:
    path, content = function_class(entry(("STRUCT<A INT>;ARRAY<DOUBLE>", "DECIMAL(9, 2)")))
    found = texts(content)
    assert path == "io/ksqlkit/bridge/functions/F.class"
    assert "STRUCT<`A` INTEGER>" in found
    assert "DECIMAL(9, 2)" in found
    assert "(Lorg/apache/kafka/connect/data/Struct;Ljava/util/List;)Ljava/math/BigDecimal;" in found
    struct_, array = "Lorg/apache/kafka/connect/data/Struct;", "Ljava/util/List<Ljava/lang/Double;>;"
    assert f"({struct_}{array})Ljava/math/BigDecimal;" in found


def test_a_variadic_structs_type_is_given_as_an_array() -> None:
    _, content = function_class(entry(("VARCHAR;STRUCT<A INT>", "BIGINT"), variadic=True))
    assert "ARRAY<STRUCT<`A` INTEGER>>" in texts(content)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("DECIMAL(9, 2)", "DECIMAL(4, 1)"),
        ("VARCHAR", "STRING"),
        ("STRUCT<A INT, B INT>", "STRUCT<B INT, A INT>"),
    ],
)
def test_overloads_alike_to_the_loader_are_refused(first: str, second: str) -> None:
    assert loader_form(parse_type(first)) == loader_form(parse_type(second))
    with pytest.raises(ValueError, match="overloads 1 and 2 are alike"):
        function_class(entry((first, "INT"), (second, "INT")))


def test_a_variadic_is_alike_an_array() -> None:
    both = entry(("DOUBLE", "INT"), ("ARRAY<DOUBLE>", "INT"))
    function_class(both)
    both["overloads"][0]["variadic"] = True
    with pytest.raises(ValueError, match="alike"):
        function_class(both)


def test_variadic_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="variadic ARRAY"):
        function_class(entry(("ARRAY<INT>", "INT"), variadic=True))


def test_the_generic_functions_load() -> None:
    for generic in generic_entries():
        assert generic["name"] in texts(function_class(generic)[1])


def test_long_descriptions_are_cut() -> None:
    long = {**entry(("INT", "INT")), "description": "x" * 100_000}
    assert max(map(len, texts(function_class(long)[1]))) == 2000
