"""From a place in rendered SQL back to the place in the template that it came from.

Only when an error has to be shown, the template is rendered once more with marks that name template offsets;
the marks give the map and are thrown away. A mark before literal text maps character by character; a mark
before `{{ ... }}` maps all that the expression printed to the expression itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

from ksqlkit.errors import Location

_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK = re.compile(f"{_OPEN}(\\d+):(\\d+)(!?){_CLOSE}")
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)


@dataclass(slots=True)
class Templates:
    """Sources of the templates seen while rendering, numbered."""

    names: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)

    def add(self, name: str, source: str) -> int:
        """The number of a template."""
        if name in self.names:
            return self.names.index(name)
        self.names.append(name)
        self.sources.append(source)
        return len(self.names) - 1


class MarkExtension(Extension):
    """Puts marks into the token stream; `environment.ksqlkit_templates` collects the sources."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Remember the template's text; it is used unchanged."""
        self.environment.ksqlkit_templates.add(filename or name or "<template>", source)  # type: ignore[attr-defined]
        return source

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        """Tokens with a mark before each literal line and each expression."""
        templates: Templates = self.environment.ksqlkit_templates  # type: ignore[attr-defined]
        number = templates.names.index(stream.filename or stream.name or "<template>")
        return _mark(stream, number, templates.sources[number])


def _mark(stream: Iterable[Token], number: int, source: str) -> Iterator[Token]:
    # Comments give no tokens; blank them out so that a search for literal text never lands inside one.
    source = _COMMENT.sub(lambda m: "\ue002" * len(m[0]), source)
    at = 0
    ends = {"variable_end": "}}", "block_end": "%}"}
    begins = {"variable_begin": "{{", "block_begin": "{%"}
    for token in stream:
        if token.type == "data":
            found = source.find(token.value, at)
            if found < 0:
                yield token
                continue
            at = found + len(token.value)
            parts, offset = [], found
            for line in token.value.splitlines(keepends=True):
                parts.append(f"{_OPEN}{number}:{offset}{_CLOSE}{line}")
                offset += len(line)
            yield Token(token.lineno, "data", "".join(parts))
            continue
        if token.type in begins:
            found = source.find(begins[token.type], at)
            at = found + 2 if found >= 0 else at
            if token.type == "variable_begin":
                yield Token(token.lineno, "data", f"{_OPEN}{number}:{max(found, 0)}!{_CLOSE}")
        elif token.type in ends:
            found = source.find(ends[token.type], at)
            at = found + 2 if found >= 0 else at
        yield token


def locate(marked: str, templates: Templates, line: int, column: int) -> tuple[Location, Location | None]:
    """The place in the outermost template behind `line`:`column` (from 1) of the rendered text.

    Returns that place, and the place inside a macro where the text came from one.
    """
    wanted = _offset(_MARK.sub("", marked), line, column)
    clean = position = 0  # characters before here, without and with marks
    call, inner, shift_from = (0, 0), None, None
    for mark in _MARK.finditer(marked):
        length = mark.start() - position
        if clean + length > wanted:
            break
        clean += length
        position = mark.end()
        number, offset = int(mark[1]), int(mark[2])
        shift_from = None if mark[3] else clean
        if number == 0:  # the outermost template is the first that was loaded
            call, inner = (number, offset), None
        else:
            inner = (number, offset)
    shift = wanted - shift_from if shift_from is not None else 0
    if inner is None:
        return _place(templates, call[0], call[1] + shift), None
    return _place(templates, *call), _place(templates, inner[0], inner[1] + shift)


def _offset(text: str, line: int, column: int) -> int:
    lines = text.splitlines(keepends=True)
    return sum(len(part) for part in lines[: line - 1]) + column - 1


def _place(templates: Templates, number: int, offset: int) -> Location:
    source = templates.sources[number]
    before = source[:offset]
    line = before.count("\n") + 1
    column = offset - (before.rfind("\n") + 1) + 1
    lines = source.splitlines()
    return Location(templates.names[number], line, column, lines[line - 1] if line <= len(lines) else "")
