"""A text cut into statements at the semicolons that are not inside strings, quotes or comments."""

from __future__ import annotations

from ksqlkit.dialect.lexer import EOF, tokenize
from ksqlkit.dialect.nodes import Span


def split_statements(sql: str) -> list[tuple[str, Span]]:
    """Each statement's text from its first token through its semicolon; a last one may lack it."""
    text = tokenize(sql)
    found: list[tuple[str, Span]] = []
    first: int | None = None
    end = 0
    for token in text.tokens:
        if token.kind == EOF:
            break
        if first is None:
            first = token.start
        end = token.end
        if token.kind == ";":
            found.append((sql[first:end], text.span(first, end)))
            first = None
    if first is not None:
        found.append((sql[first:end], text.span(first, end)))
    return found
