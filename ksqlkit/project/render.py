"""Templates to SQL text: sandboxed, strict Jinja with `ref`, `source`, `var` and the macros.

Errors point at the template: file, line, column and the line's text.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import jinja2
from jinja2.exceptions import SecurityError
from jinja2.sandbox import safe_range

from ksqlkit.errors import Location, TemplateError, UserError
from ksqlkit.files import read_text
from ksqlkit.project.macros import Macro
from ksqlkit.project.sandbox import MAX_OUTPUT, BoundedSandbox
from ksqlkit.project.sourcemap import MarkExtension, Templates, locate

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Reference:
    """A `ref` or `source` call: the name as SQL resolves it, and where it was written."""

    name: str
    kind: str
    location: Location


@dataclass(slots=True)
class Renderer:
    """Renders the files of one project; `sources` are the names that `source()` takes."""

    variables: Mapping[str, Any]
    macros: Mapping[str, Macro] = field(default_factory=dict)
    sources: frozenset[str] = frozenset()

    def render(self, path: Path) -> tuple[str, list[Reference]]:
        """The file's SQL and its references. Raises TemplateError with the place in the template."""
        run = _Run(self, path, marked=False)
        return run.text(), run.references

    def locate(self, path: Path, line: int, column: int) -> tuple[Location, Location | None]:
        """Where in the template a place of the rendered text comes from; the second is inside a macro."""
        run = _Run(self, path, marked=True)
        return locate(run.text(), run.templates, line, column)


class _Run:
    def __init__(self, owner: Renderer, path: Path, *, marked: bool) -> None:
        self.owner = owner
        self.path = path
        self.references: list[Reference] = []
        self.templates = Templates()
        self.env = BoundedSandbox(
            undefined=jinja2.StrictUndefined,
            extensions=[MarkExtension] if marked else [],
            loader=jinja2.FunctionLoader(self._load),
            keep_trailing_newline=True,
            autoescape=False,
        )
        self.env.ksqlkit_templates = self.templates  # type: ignore[attr-defined]
        self.env.globals.clear()
        self.env.globals.update(
            range=safe_range, dict=dict, ref=self._ref, source=self._source, var=self._var
        )
        self.env.globals.update({n: self._macro(m) for n, m in owner.macros.items()})

    def text(self) -> str:
        try:
            parts: list[str] = []
            size = 0
            for part in self.env.get_template(str(self.path)).generate():
                parts.append(part)
                size += len(part)
                if size > MAX_OUTPUT:
                    raise TemplateError(
                        f"The template writes more than {MAX_OUTPUT:,} characters",
                        location=Location(str(self.path)),
                        hint="Does a loop not end?",
                    )
            return "".join(parts)
        except TemplateError as exc:
            if exc.location is None:
                self._blame(exc, sys.exc_info()[2])
            raise
        except jinja2.TemplateSyntaxError as exc:
            raise TemplateError(
                exc.message or "Not a valid template",
                location=_line(exc.filename or str(self.path), exc.lineno),
            ) from exc
        except jinja2.TemplateNotFound as exc:
            error = TemplateError(
                f"A template cannot include {exc.name!r}", hint="Call a macro by its name instead."
            )
            raise self._blame(error, exc.__traceback__) from exc
        except jinja2.UndefinedError as exc:
            raise self._undefined(exc) from exc
        except SecurityError as exc:
            raise self._blame(TemplateError(f"Not allowed in a template: {exc}"), exc.__traceback__) from exc
        except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError, RecursionError) as exc:
            error = TemplateError(f"{type(exc).__name__}: {exc}")
            raise self._blame(error, exc.__traceback__) from exc

    def _load(self, name: str) -> tuple[str, str, None] | None:
        ours = {str(self.path), *(str(macro.path) for macro in self.owner.macros.values())}
        if name not in ours:  # what include and import name: a template reads no other file of the machine
            return None
        return read_text(Path(name)), name, None

    def _ref(self, name: Any) -> str:
        return self._reference(name, "ref")

    def _source(self, name: Any) -> str:
        if resolve_name(str(name)) not in self.owner.sources:
            near = difflib.get_close_matches(resolve_name(str(name)), self.owner.sources, n=1)
            raise TemplateError(
                f"Unknown source {name!r}",
                hint=f"Did you mean {near[0]!r}?" if near else "Declare it under [sources] in ksqlkit.toml.",
            )
        return self._reference(name, "source")

    def _reference(self, name: Any, kind: str) -> str:
        if not isinstance(name, str) or not name:
            raise TemplateError(f"{kind}() takes a name, not {name!r}")
        place = self._blame(TemplateError(""), None, word=name).location or Location(str(self.path))
        self.references.append(Reference(resolve_name(name), kind, place))
        return name if _PLAIN.fullmatch(name) or name.startswith("`") else f"`{name}`"

    def _var(self, name: str, default: Any = jinja2.Undefined) -> Any:
        if name in self.owner.variables:
            return self.owner.variables[name]
        if default is not jinja2.Undefined:
            return default
        near = difflib.get_close_matches(name, self.owner.variables, n=1)
        known = ", ".join(sorted(self.owner.variables)) or "none"
        raise TemplateError(
            f"Undefined variable {name!r}",
            hint=f"Did you mean {near[0]!r}?"
            if near
            else f"Set it under [vars] or with --var; known: {known}.",
        )

    def _macro(self, macro: Macro) -> Any:
        def call(*args: Any, **kwargs: Any) -> str:
            bound = macro.bind(args, kwargs)
            module = self.env.get_template(str(macro.path)).make_module()
            found = getattr(module, macro.name, None)
            if found is None:
                raise TemplateError(
                    f"{macro.path.name} defines no macro {macro.name!r}", location=Location(str(macro.path))
                )
            return str(found(**bound)).strip()

        return call

    def _undefined(self, exc: jinja2.UndefinedError) -> TemplateError:
        word = re.match(r"'([^']+)' is undefined", exc.message or "")
        name = word[1] if word else None
        known = sorted({*self.env.globals, *self.owner.variables})
        near = difflib.get_close_matches(name, known, n=1) if name else []
        hint = f"Did you mean {near[0]!r}?" if near else "Project variables are read with var('name')."
        if name in self.owner.variables:
            hint = f"Project variables are read with var({name!r})."
        error = TemplateError(f"{exc.message}", hint=hint)
        return self._blame(error, exc.__traceback__, word=name)

    def _blame(
        self, error: TemplateError, trace: TracebackType | None, word: str | None = None
    ) -> TemplateError:
        """Put the outermost template line into the error: that is the line the user wrote."""
        frames = list(_trace_lines(trace)) if trace else list(_stack_lines())
        ours = [(file, line) for file, line in frames if file == str(self.path)]
        if ours or frames:
            file, line = (ours or frames)[-1 if ours else 0]
            error.location = _line(file, line, word)
            inner = [(f, n) for f, n in frames if f != str(self.path)]
            if inner and not error.hint:
                error.hint = f"in {inner[-1][0]}:{inner[-1][1]}"
        else:
            error.location = Location(str(self.path))
        return error


def resolve_name(name: str) -> str:
    """A name as ksqlDB resolves it: upper case unless quoted."""
    return name[1:-1] if name.startswith("`") else name.upper()


def _trace_lines(trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    # Jinja rewrites tracebacks: a template's frames carry the template's file name and line.
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        name = trace.tb_frame.f_code.co_filename
        if template is not None:
            yield template.filename, template.get_corresponding_lineno(trace.tb_lineno)
        elif name.endswith((".sql", ".jinja")):
            yield name, trace.tb_lineno
        trace = trace.tb_next


def _stack_lines() -> Iterator[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        template = frame.f_globals.get("__jinja_template__")
        if template is not None:
            found.append((template.filename, template.get_corresponding_lineno(frame.f_lineno)))
        frame = frame.f_back
    yield from reversed(found)


def _line(file: str, line: int, word: str | None = None) -> Location:
    try:
        lines = read_text(Path(file)).splitlines()
    except UserError:
        lines = []
    text = lines[line - 1] if 0 < line <= len(lines) else None
    if text is None:
        return Location(file, line)
    column = text.find(word) if word else -1
    if column < 0:
        column = len(text) - len(text.lstrip())
    return Location(file, line, column + 1, text)
