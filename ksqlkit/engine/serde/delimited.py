"""The DELIMITED format: a generated function per schema over one line of delimited text."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.java_numbers import double_to_string, string_to_double
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde.codegen import compile_function
from ksqlkit.engine.serde.csv_text import make_quoter, split_record
from ksqlkit.engine.serde.errors import SerdeError
from ksqlkit.engine.serde.values import (
    INT_MAX,
    LONG_MAX,
    fit_decimal,
    parse_base64,
    parse_decimal,
    parse_integer,
    parse_time,
)
from ksqlkit.errors import StatementError

NAMED: Final = {"TAB": "\t", "SPACE": " "}
_PLAIN_DELIMITERS: Final = ",;|\t :~^"  # no number contains these


def parse_delimiter(text: str) -> str:
    """The delimiter character an option value stands for. Raises StatementError."""
    if text == "" or text.isspace():
        raise StatementError(
            "Delimiter cannot be empty, if you meant to have a tab or space for delimiter, please "
            "use the special values 'TAB' or 'SPACE'\nExample valid value: ';'"
        )
    if len(text) == 1:
        return text
    if text in NAMED:
        return NAMED[text]
    raise StatementError(
        f"Invalid delimiter value: '{text}'. Delimiter must be a single character or "
        f"{','.join(NAMED)}\nExample valid value: ';'"
    )


def _integer(text: str) -> int:
    if text.isdecimal() and len(text) < 10:
        return int(text)
    return parse_integer(text, INT_MAX)


def _long(text: str) -> int:
    if text.isdecimal() and len(text) < 19:
        return int(text)
    return parse_integer(text, LONG_MAX)


_PARSERS: Final[dict[T.SqlType, Callable[[str], Any]]] = {
    T.BOOLEAN: lambda text: text.lower() == "true",
    T.INTEGER: _integer,
    T.BIGINT: _long,
    T.DOUBLE: string_to_double,
    T.BYTES: parse_base64,
    T.TIME: lambda text: parse_time(_long(text)),
    T.DATE: _integer,
    T.TIMESTAMP: _long,
}


def make_reader(
    columns: Sequence[Column], *, delimiter: str, topic: str
) -> Callable[[bytes | None], tuple[Any, ...] | None]:
    """A reader of delimited lines; an empty cell is null."""
    names: dict[str, object] = {}
    cells = []
    for i, column in enumerate(columns):
        if isinstance(column.type, T.Decimal):
            names[f"p{i}"] = partial(_read_decimal, column.type)
        elif column.type != T.STRING:
            names[f"p{i}"] = _PARSERS[column.type]
        cells.append(f"p{i}(v{i}) if v{i} else None" if f"p{i}" in names else f"v{i} or None")

    def failed(error: ValueError) -> SerdeError:
        return SerdeError("Error deserializing delimited", (str(error),))

    def mismatch(count: int) -> ValueError:
        return ValueError(
            "Column count mismatch on deserialization. "
            f"topic: {topic}, expected: {len(columns)}, got: {count}"
        )

    source = f"""
def read(data):
    if data is None:
        return None
    try:
        text = data.decode("utf-8", "replace")
        if text and '"' not in text and "\\n" not in text and "\\r" not in text:
            cells = text.split({delimiter!r})
        else:
            cells = split_record(text, {delimiter!r})
        if len(cells) != {len(columns)}:
            raise mismatch(len(cells))
        {"".join(f"v{i}, " for i in range(len(columns))) or "()"} = cells
        return ({"".join(cell + ", " for cell in cells)})
    except ValueError as error:
        raise failed(error) from None
"""
    names |= {"split_record": split_record, "mismatch": mismatch, "failed": failed}
    return compile_function("read", source, names)


def _read_decimal(kind: T.Decimal, text: str) -> Any:
    return fit_decimal(parse_decimal(text), kind)


_TEXTS: Final[dict[T.SqlType, str]] = {
    T.BOOLEAN: '("true" if $ else "false")',
    T.INTEGER: "str($)",
    T.BIGINT: "str($)",
    T.DOUBLE: "double($)",
    T.STRING: "$",
    T.BYTES: "base64($)",
    T.TIME: "str($)",
    T.DATE: "str($)",
    T.TIMESTAMP: "str($)",
}


def make_writer(
    columns: Sequence[Column], *, delimiter: str
) -> Callable[[Sequence[Any] | None], bytes | None]:
    """A writer of delimited lines; null is an empty cell."""
    cells = []
    for i, column in enumerate(columns):
        text = _TEXTS.get(column.type, 'format($, "f")').replace("$", f"v{i}")
        if i == 0:
            text = f"first({text})"
        elif column.type == T.STRING or delimiter not in _PLAIN_DELIMITERS:
            text = f"quote({text})"
        cells.append(f'"" if v{i} is None else {text}')

    def failed(error: Exception) -> SerdeError:
        return SerdeError("Error serializing CSV message", (str(error),))

    source = f"""
def write(row):
    if row is None:
        return None
    {"".join(f"v{i}, " for i in range(len(columns))) or "()"} = row
    try:
        return {delimiter!r}.join(({"".join(cell + ", " for cell in cells)})).encode("utf-8", "replace")
    except (TypeError, ValueError) as error:
        raise failed(error) from None
"""
    names = {
        "first": make_quoter(delimiter, first=True),
        "quote": make_quoter(delimiter, first=False),
        "double": double_to_string,
        "base64": lambda value: b2a_base64(value, newline=False).decode(),
        "failed": failed,
    }
    return compile_function("write", source, names)
