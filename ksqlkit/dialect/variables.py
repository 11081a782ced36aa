"""`${name}` in SQL: where DEFINE's values go, as a step of its own before parsing.

As in ksqlDB, a value for a name must be an identifier, a value for a literal must be a quoted string, a number or
a boolean, and inside a string any value is put in with its quotes doubled. A variable inside a string that has no
value stays as it is written; elsewhere it is an error. `$${name}` in a string means the text `${name}`. With no
variables at all nothing is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NoReturn

from ksqlkit.dialect.lexer import STRING, VARIABLE, Token, tokenize, unquote
from ksqlkit.dialect.names import string
from ksqlkit.dialect.parser import statement
from ksqlkit.dialect.parser.cursor import Cursor

_USE: Final = re.compile(r"(?P<escaped>\$)?\$\{(?P<name>[^${}]*)\}")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_@]*")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def names(sql: str) -> list[str]:
    """The variables that a text uses, in the order of first use; comments do not count."""
    found: dict[str, None] = {}
    for token in tokenize(sql).tokens:
        if token.kind is VARIABLE or token.kind is STRING:
            uses = (use["name"] for use in _USE.finditer(token.text) if not use["escaped"])
            found.update(dict.fromkeys(uses))
    return list(found)


def substitute(sql: str, values: Mapping[str, str]) -> str:
    """One statement with its variables replaced. Raises ParseError for a value that cannot stand there."""
    if not values or "${" not in sql:
        return sql
    p = Cursor(tokenize(sql), testing=True, template=True)
    statement(p)
    literal = {token.start: meant for token, meant in p.variables}
    parts: list[str] = []
    done = 0
    for token in p.tokens:
        if token.kind is VARIABLE:
            new = _value(p, token, values, literal.get(token.start, False))
        elif token.kind is STRING and "${" in token.text:
            new = _inside(token.text, values)
        else:
            continue
        parts += [sql[done : token.start], new]
        done = token.end
    return "".join(parts) + sql[done:]


def _inside(text: str, values: Mapping[str, str]) -> str:
    """A string token with the variables in it replaced."""

    def replace(match: re.Match[str]) -> str:
        if match["escaped"]:
            return match.group()[1:]
        value = values.get(match["name"])
        if value is None:
            return match.group()
        return (unquote(value) if _is_string(value) else value).replace("'", "''")

    return _USE.sub(replace, text)


def _value(p: Cursor, token: Token, values: Mapping[str, str], literal: bool) -> str:
    name = token.text[2:-1]
    value = values.get(name, token.text)
    if literal:
        if _is_string(value):
            return string(unquote(value))
        if value.lower() in ("true", "false") or _NUMBER.fullmatch(value):
            return value
        _illegal(
            p, token, f". Got: '{value}'", name in values, "a literal: a quoted string, a number or a boolean"
        )
    bare = unquote(value) if len(value) > 1 and value[0] in '`"' and value[0] == value[-1] else value
    if not _IDENTIFIER.fullmatch(bare):
        rule = ". Identifier names cannot start with '@' and may only contain alphanumeric values and '_'."
        _illegal(p, token, f"{rule} Got: '{value}'", name in values, "a name")
    return value


def _is_string(value: str) -> bool:
    return len(value) > 1 and value[0] == value[-1] == "'"


def _illegal(p: Cursor, token: Token, reason: str, defined: bool, wanted: str) -> NoReturn:
    line, column = p.text.place(token.start)
    name = token.text[2:-1]
    hint = f"the value of {name} must be {wanted} here" if defined else f"DEFINE {name} = '...'; first"
    p.fail(f"Illegal argument at Line: {line}, Col: {column}{reason}", token, hint=hint)
