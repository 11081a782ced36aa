"""The macro library: one macro a file, `NAME.sql.jinja`; a header comment in TOML documents and types it.

{#
doc = "What it writes."
example = '''{{ NAME('ORDERS', window='1 HOUR') }}'''
[args]
source = { type = "relation", doc = "..." }
window = { type = "duration", doc = "...", default = "1 HOUR" }
#}
{% macro NAME(source, window='1 HOUR') %}...{% endmacro %}
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ksqlkit.dialect.nodes import MILLIS
from ksqlkit.errors import Location, TemplateError
from ksqlkit.files import read_text

SUFFIX = ".sql.jinja"
_HEADER = re.compile(r"\A\s*\{#-?(.*?)-?#\}", re.DOTALL)
_NAME = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]*|`[^`]+`)")
_DURATION = re.compile(r"\s*\d+\s+([A-Za-z]+)\s*")


@dataclass(frozen=True, slots=True)
class MacroArg:
    """One argument: `type` is a key of TYPES; an argument without default must be given."""

    name: str
    type: str
    doc: str
    required: bool
    default: Any = None


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro's documentation and where its text lies."""

    name: str
    path: Path
    doc: str
    example: str
    args: tuple[MacroArg, ...]

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by name, checked. Raises TemplateError that names the macro and the argument."""
        names = [a.name for a in self.args]
        if len(args) > len(names):
            raise TemplateError(f"Macro {self.name} takes {len(names)} arguments, {len(args)} were given")
        given = dict(zip(names, args, strict=False))
        for key, value in kwargs.items():
            if key not in names:
                raise TemplateError(
                    f"Macro {self.name} has no argument {key!r}", hint=f"It takes {', '.join(names)}."
                )
            if key in given:
                raise TemplateError(f"Macro {self.name} got {key!r} twice")
            given[key] = value
        for arg in self.args:
            if arg.name not in given:
                if arg.required:
                    raise TemplateError(f"Macro {self.name} needs {arg.name!r}: {arg.doc}")
                continue
            if given[arg.name] is None and arg.default is None and not arg.required:
                continue
            if not TYPES[arg.type](given[arg.name]):
                raise TemplateError(
                    f"Macro {self.name}: {arg.name} must be {_article(arg.type)}, not {given[arg.name]!r}",
                    hint=arg.doc,
                )
        return given


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_duration(value: Any) -> bool:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    return match is not None and match[1].upper().rstrip("S") + "S" in MILLIS


def _is_list(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list | tuple) and bool(value) and all(map(check, value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


TYPES: Mapping[str, Callable[[Any], bool]] = {
    "relation": _is_name,
    "column": _is_name,
    "columns": _is_list(_is_name),
    "expression": _is_text,
    "expressions": _is_list(_is_text),
    "duration": _is_duration,
    "string": _is_text,
    "strings": _is_list(lambda v: isinstance(v, str)),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "mapping": lambda v: isinstance(v, Mapping),
}


def read_macro(path: Path) -> Macro:
    """The macro in a file. Raises TemplateError for a missing or wrong header."""
    text = read_text(path)
    name = path.name.removesuffix(SUFFIX)
    place = Location(str(path), 1, 1, text.partition("\n")[0])
    found = _HEADER.match(text)
    if not found:
        raise TemplateError(
            f"Macro {name} has no header comment", location=place, hint=(__doc__ or "").strip()
        )
    try:
        header = tomllib.loads(found[1])
    except tomllib.TOMLDecodeError as exc:
        message = f"The header of macro {name} is not valid TOML: {exc}"
        raise TemplateError(message, location=place) from exc
    if unknown := set(header) - {"doc", "example", "args"}:
        raise TemplateError(f"The header of macro {name} has unknown keys {sorted(unknown)}", location=place)
    if not header.get("doc") or not header.get("example"):
        raise TemplateError(f"The header of macro {name} needs doc and example", location=place)
    args = tuple(_read_arg(name, key, value, place) for key, value in header.get("args", {}).items())
    return Macro(name, path, header["doc"], header["example"].strip(), args)


def find_macros(folders: Iterable[Path]) -> dict[str, Macro]:
    """All macros by name; a macro in an earlier folder hides one of the same name in a later one."""
    found: dict[str, Macro] = {}
    for folder in folders:
        for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
            macro = read_macro(path)
            found.setdefault(macro.name, macro)
    return found


def _read_arg(macro: str, name: str, value: Any, place: Location) -> MacroArg:
    if (
        not isinstance(value, dict)
        or set(value) - {"type", "doc", "default"}
        or value.get("type") not in TYPES
    ):
        raise TemplateError(
            f"Macro {macro}: argument {name!r} needs type, doc and perhaps default",
            location=place,
            hint=f"Types: {', '.join(TYPES)}.",
        )
    return MacroArg(name, value["type"], value.get("doc", ""), "default" not in value, value.get("default"))


def _article(type_name: str) -> str:
    if type_name == "duration":
        return "a duration such as '5 MINUTES'"
    if type_name.endswith("s"):
        return f"a list of {type_name}"
    return ("an " if type_name[0] in "aeiou" else "a ") + type_name
