"""What the generator passes around: a piece of Python text with what is known about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from ksqlkit.dialect import print_expression
from ksqlkit.dialect.nodes import Expression
from ksqlkit.dialect.types import SqlType
from ksqlkit.engine.expressions import runtime


@dataclass(frozen=True, slots=True)
class Variable:
    """A column in scope: `source` is Python text that yields its value, e.g. "v3"."""

    source: str
    type: SqlType


Scope = Mapping[str, Variable]


@dataclass(frozen=True, slots=True)
class Compiled:
    """One Python expression and the globals it needs. `type` is None for the literal NULL.

    The text may contain assignment expressions, so it must stand inside a function body or a lambda.
    """

    source: str
    type: SqlType | None
    names: dict[str, object]


@dataclass(frozen=True, slots=True)
class Code:
    """Generated text. `nullable`: may yield None; `raises`: may raise.

    `call` is (before, function, arguments) where the text is one call, alone or behind a null check `before`, and
    nothing but the call can raise. `bare` is the text of a chain without its parentheses (and, of whole
    numbers, before it is cut to its width), `chain` its operator: a left operand may be written without them, as
    Python limits how deep they nest.
    """

    source: str
    type: SqlType | None
    nullable: bool = True
    raises: bool = True
    call: tuple[str, str, str] | None = None
    constant: bool = False
    bare: str | None = None
    chain: str = ""

    @property
    def atomic(self) -> bool:
        """Whether repeating the text is as cheap as naming its value."""
        return (self.constant or self.source.isidentifier()) and self.source != "None"


def shown(node: Expression) -> str:
    """An expression as messages show it."""
    return print_expression(node, quote=False)


OnError = Callable[[str, Exception], None]


@dataclass(slots=True)
class Names:
    """Hands out names for temporaries and for the objects the text refers to.

    Runtime helpers keep one fixed name (k_...) everywhere; all other objects get names that start with `prefix`.
    """

    prefix: str
    on_error: OnError | None = None
    bound: dict[str, object] = field(default_factory=dict)
    count: int = 0

    def temp(self) -> str:
        """A fresh local name."""
        self.count += 1
        return f"{self.prefix}_{self.count}"

    def bind(self, value: object) -> str:
        """A fresh global name for `value`."""
        name = self.temp()
        self.bound[name] = value
        return name

    def helper(self, name: str) -> str:
        """The name of a helper of the runtime module."""
        key = f"k_{name}"
        self.bound[key] = getattr(runtime, name)
        return key

    def once(self, code: Code) -> tuple[str, str]:
        """Texts for the first and for later uses of a value, so that it is computed once."""
        if code.atomic:
            return code.source, code.source
        name = self.temp()
        return f"({name} := {code.source})", name

    def guard(self, code: Code, what: str) -> Code:
        """None, and a report, instead of an exception, where ksqlDB handles the errors of a nested expression."""
        if not code.raises:
            return code
        label = f"Error processing {what}"
        if code.call is not None:
            before, function, arguments = code.call
            raw = cast(Callable[..., Any], self.bound[function])
            safe = self.bind(runtime.guarded(raw, label, self.on_error))
            text = f"({before}{safe}({arguments}))" if before else f"{safe}({arguments})"
        else:
            text = f"{self.bind(runtime.attempt(label, self.on_error))}(lambda: {code.source})"
        return Code(text, code.type, nullable=True, raises=False)
