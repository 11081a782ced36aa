"""SQL types as ksqlDB's function loader wants them in Java: class, generic signature, and the text of the
annotation where Java's types say too little."""

from __future__ import annotations

from typing import Final

from ksqlkit.dialect import types as T

_CLASSES: Final = {
    T.BOOLEAN: "java/lang/Boolean",
    T.INTEGER: "java/lang/Integer",
    T.BIGINT: "java/lang/Long",
    T.DOUBLE: "java/lang/Double",
    T.STRING: "java/lang/String",
    T.BYTES: "java/nio/ByteBuffer",
    T.TIME: "java/sql/Time",
    T.DATE: "java/sql/Date",
    T.TIMESTAMP: "java/sql/Timestamp",
}


def java_class(type_: T.SqlType) -> str:
    """The internal name of the class of a type's values; raises ValueError for what functions cannot take."""
    if isinstance(type_, T.Primitive) and type_ in _CLASSES:
        return _CLASSES[type_]
    if isinstance(type_, T.Decimal):
        return "java/math/BigDecimal"
    if isinstance(type_, T.Array):
        return "java/util/List"
    if isinstance(type_, T.Map):
        return "java/util/Map"
    if isinstance(type_, T.Struct):
        return "org/apache/kafka/connect/data/Struct"
    raise ValueError(f"{type_} is no type of a function")


def signature(type_: T.SqlType) -> str:
    """The generic signature; equals the descriptor where nothing is generic."""
    if isinstance(type_, T.Array):
        return f"Ljava/util/List<{signature(type_.item)}>;"
    if isinstance(type_, T.Map):
        return f"Ljava/util/Map<{signature(type_.key)}{signature(type_.value)}>;"
    return f"L{java_class(type_)};"


def descriptor(type_: T.SqlType) -> str:
    """The erased type."""
    return f"L{java_class(type_)};"


def annotated(type_: T.SqlType, *, returned: bool) -> bool:
    """Whether Java's types say too little: the fields of a STRUCT, and a result's precision and scale.

    A STRUCT argument without fields must stay without text: it then takes any struct.
    """
    if isinstance(type_, T.Array):
        return annotated(type_.item, returned=returned)
    if isinstance(type_, T.Map):
        return annotated(type_.key, returned=returned) or annotated(type_.value, returned=returned)
    if isinstance(type_, T.Struct):
        return returned or bool(type_.fields)
    return returned and isinstance(type_, T.Decimal)


def loader_form(type_: T.SqlType) -> str:
    """What the loader tells overloads apart by: two overloads alike in this keep the server from starting."""
    if isinstance(type_, T.Decimal):
        return "DECIMAL"
    if isinstance(type_, T.Array):
        return f"ARRAY<{loader_form(type_.item)}>"
    if isinstance(type_, T.Map):
        return f"MAP<{loader_form(type_.key)}, {loader_form(type_.value)}>"
    if isinstance(type_, T.Struct):
        return "STRUCT<" + ", ".join(f"{n} {loader_form(t)}" for n, t in sorted(type_.fields)) + ">"
    return str(type_)
