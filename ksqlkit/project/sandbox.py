"""The environment in which templates run: no way to Python or to files, and no way to run away.

Everything that a template does is paid from one budget of steps: each turn of a loop, each call, each text or list
that is made, by its length. What would be large at once (`'x' * 2000000000`, a format of a billion columns) is
refused before it is made. The budget counts work and not time, so that a template that renders, renders everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import update_wrapper, wraps
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ksqlkit.errors import TemplateError

MAX_OUTPUT = 4_000_000  # characters of one rendered file, and of any text on the way to it
MAX_STEPS = 100_000_000  # characters made on the way; a loop's turn is worth TURN of them, a call CALL
MAX_DIGITS = 10_000  # bits of a whole number; characters of a padding or an indent
TURN = 50
CALL = 500
NUMBER = 10  # characters that anything but a text or list is counted as

_WIDTHS = frozenset(
    {"batch", "center", "format", "indent", "round", "slice", "tojson", "truncate", "wordwrap"}
)
_UNSAFE = frozenset({"expandtabs", "translate", "maketrans"})  # texts whose size cannot be told beforehand
_NUMBER = re.compile(r"\d+")
_GIVEN_WIDTH = re.compile(r"%[^%a-zA-Z]*\*|\{[^{}]*:[^{}]*\{")  # `%*d`, `{:{}}`: a width among the arguments


class _Generator(CodeGenerator):
    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        """`a ~ b` through the environment, which bounds it."""
        self.write("environment.join_texts((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class BoundedSandbox(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox with a budget; one instance renders one file. Raises TemplateError."""

    code_generator_class = _Generator
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, finalize=self._written)
        self.steps = 0
        self.filters = {name: self._bounded(name, made) for name, made in self.filters.items()}
        self.filters["ksqlkit_turns"] = self._turns

    def spend(self, steps: int) -> None:
        """Pay from the budget. Raises TemplateError when it is used up."""
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise TemplateError(
                "The template does not come to an end: it has done too much work", hint=_ENDLESS
            )

    def join_texts(self, parts: Iterable[Any]) -> str:
        """What `~` does."""
        parts = list(parts)
        self._room(sum(map(self._size, parts)))
        return "".join(map(str, parts))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            text = sum(len(data.data) for data in loop.find_all(nodes.TemplateData))
            cost = nodes.Const(TURN + text, lineno=loop.lineno)
            loop.iter = nodes.Filter(loop.iter, "ksqlkit_turns", [cost], [], None, None, lineno=loop.lineno)
            loop.iter.set_environment(self)
        return tree

    def _turns(self, items: Iterable[Any], cost: int) -> Iterator[Any]:
        for item in items:
            self.spend(cost)
            yield item

    def _written(self, value: Any) -> Any:
        """Each value that `{{ }}` writes."""
        self._room(self._size(value))
        return value if isinstance(value, str) else str(value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """An operator, if its result is not too large."""
        numbers = isinstance(left, int) and isinstance(right, int)
        if operator == "**" and numbers:
            _whole(left.bit_length() * max(right, 0))
        elif operator == "*" and numbers:
            _whole(left.bit_length() + right.bit_length())
        elif operator == "*":
            for many, times in ((left, right), (right, left)):
                if isinstance(times, int) and hasattr(many, "__len__"):
                    self._room(len(many) * max(times, 0))
        elif operator == "+" and hasattr(left, "__len__") and hasattr(right, "__len__"):
            self._room(len(left) + len(right))
        elif operator == "%" and isinstance(left, str):
            self._format(left, right)
        return self._checked(super().call_binop(context, operator, left, right))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """A call, paid for, and refused where its result would be too large."""
        __self.spend(CALL)
        owner, name = getattr(__obj, "__self__", None), getattr(__obj, "__name__", "")
        if isinstance(owner, str):
            args = __self._text_call(owner, name, args)
        return __self._checked(super().call(__context, __obj, *args, **kwargs))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Also no methods of texts that make them large in ways that cannot be told beforehand."""
        return not (isinstance(obj, str) and attr in _UNSAFE) and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """`str.format`, if it asks for no great width."""
        made = super().wrap_str_format(value)
        if made is None:
            return None

        def run(*args: Any, **kwargs: Any) -> str:
            self._format(value.__self__, (*args, *kwargs.values()))
            return made(*args, **kwargs)

        return update_wrapper(run, value)

    def _text_call(self, text: str, name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        if name == "replace" and len(args) > 1:
            self._replaced(text, args[0], args[1])
        elif name == "join" and args:
            parts = list(args[0])
            self._room(self._size(parts) + len(text) * len(parts))
            return (parts,)
        elif name in ("center", "ljust", "rjust", "zfill"):
            _widths(args)
        return args

    def _replaced(self, text: Any, old: Any, new: Any) -> None:
        text, old = str(text), str(old)
        self._room(len(text) + (text.count(old) if old else len(text) + 1) * self._size(new))

    def _format(self, text: str, values: Any) -> None:
        """A format's text and what goes into it, each value perhaps many times."""
        if unknown := _GIVEN_WIDTH.search(text):
            message = (
                f"A format's width must be written in it, and not be among its arguments: {unknown[0]!r}"
            )
            raise TemplateError(message)
        widths = sum(int(digits[:9]) for digits in _NUMBER.findall(text))
        given = values if isinstance(values, tuple) else (values,)
        largest = max(map(self._size, given), default=0)
        self._room(len(text) + widths + (text.count("%") + text.count("{")) * largest)

    def _bounded(self, name: str, made: Callable[..., Any]) -> Callable[..., Any]:
        """A filter that is paid for, and refused where its result would be too large."""
        skipped = 1 if hasattr(made, "jinja_pass_arg") else 0  # the context or environment comes first

        @wraps(made)
        def run(*args: Any, **kwargs: Any) -> Any:
            self.spend(TURN)
            value, *rest = args[skipped:]
            given = (*rest, *kwargs.values())
            if isinstance(value, str | list | tuple | Mapping):
                self._room(self._size(value))
            if name in _WIDTHS:
                _widths(given)
            if name == "format":
                self._format(str(value), given)
            elif name == "replace" and len(rest) > 1:
                self._replaced(value, rest[0], rest[1])
            elif name == "indent":
                width = max((len(w) if isinstance(w, str) else int(w) for w in given), default=4)
                self._room(self._size(value) + (str(value).count("\n") + 1) * width)
            elif name == "join":
                value = list(value)
                self._room(
                    self._size(value) + self._size(rest[0] if rest else kwargs.get("d", "")) * len(value)
                )
                args = (*args[:skipped], value, *rest)
            return self._checked(made(*args, **kwargs))

        return run

    def _checked(self, result: Any) -> Any:
        if isinstance(result, str | list | tuple | Mapping):
            self._room(len(result))
        return result

    def _size(self, value: Any) -> int:
        """About how many characters a value is as text."""
        if isinstance(value, str):
            return len(value)
        if not isinstance(value, list | tuple | Mapping):
            return NUMBER
        size = 2
        for item in value.items() if isinstance(value, Mapping) else value:
            self.spend(1)
            size += self._size(item)
            if size > MAX_OUTPUT:
                break
        return size

    def _room(self, size: int) -> None:
        if size > MAX_OUTPUT:
            message = f"The template makes a text or list of {size:,}, more than {MAX_OUTPUT:,}"
            raise TemplateError(message, hint=_ENDLESS)
        self.spend(size)


_ENDLESS = "Is a number too large, or does a loop not end?"


def _whole(bits: int) -> None:
    if bits > MAX_DIGITS:
        raise TemplateError("The template makes a number that is too large", hint=_ENDLESS)


def _widths(arguments: Iterable[Any]) -> None:
    for width in arguments:
        if isinstance(width, int | float) and abs(width) > MAX_DIGITS:
            raise TemplateError(f"The template asks for a width of {width:,}", hint=_ENDLESS)
