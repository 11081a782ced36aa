"""How functions are declared: a Family collects them with decorators, the registry serves them.

    strings = Family("STRING")

    @strings.scalar("LPAD(VARCHAR input, INT targetLen, VARCHAR padding) -> VARCHAR")
    def lpad(text: str, length: int, padding: str) -> str | None:
        \"\"\"Pads a string on the left.\"\"\"

The docstring is the text of DESCRIBE FUNCTION. Declaring a name again adds overloads to it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Literal, TypeVar

from ksqlkit.dialect.types import SqlType
from ksqlkit.engine.functions.contract import ArgType, RemoteCall
from ksqlkit.engine.functions.params import Signature, parse_signature

Kind = Literal["SCALAR", "AGGREGATE", "TABLE"]
Fn = TypeVar("Fn", bound=Callable[..., Any])
Provider = Callable[[Sequence[ArgType]], SqlType]

CONFLUENT: Final = "Confluent"
BUILTIN: Final = "internal"  # the path of built-in functions


@dataclass(frozen=True, eq=False)
class Overload:
    """One overload. Scalar and table: `fn` is the function or, if `typed`, makes it from the argument types.
    Aggregate: `fn(types, constants)` makes an Aggregation; constants are the literals of the call, then the values of
    the properties that `settings` names (None where not set). `returns` computes a result type that the signature
    cannot say; a scalar that does not `see_null` is not called with NULL. NULL for a `primitive` parameter (Java
    has no null there) is an error of the row."""

    text: str
    fn: Callable[..., Any]
    about: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    returns: Provider | None = None
    typed: bool = False
    sees_null: bool = False
    inline: str | None = None
    deterministic: bool = True
    remote: RemoteCall | None = None
    parsed: Signature | None = None
    settings: tuple[str, ...] = ()
    primitive: tuple[str, ...] = ()

    @cached_property
    def signature(self) -> Signature:
        """The parsed signature (on first use: most programs use few functions)."""
        return self.parsed or parse_signature(self.text)


@dataclass(frozen=True, slots=True)
class Aggregation:
    """The parts of an aggregate for certain types; see ResolvedAggregate. `returns` overrides the text's."""

    init: Callable[[], Any]
    add: Callable[..., Any]
    result: Callable[[Any], Any] | None = None
    remove: Callable[..., Any] | None = None
    merge: Callable[[Any, Any], Any] | None = None
    inline_add: str | None = None
    returns: SqlType | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """All overloads of a name with what SHOW FUNCTIONS and DESCRIBE FUNCTION say about it."""

    name: str
    kind: Kind
    category: str
    description: str = ""
    author: str = CONFLUENT
    version: str = ""
    path: str = BUILTIN
    overloads: tuple[Overload, ...] = ()

    def plus(self, overload: Overload) -> Function:
        """With one more overload; one with the same parameter types is replaced."""
        types = [p.type for p in overload.signature.params]
        kept = [o for o in self.overloads if [p.type for p in o.signature.params] != types]
        return replace(self, overloads=(*kept, overload))


class Family:
    """Functions of one category."""

    def __init__(
        self, category: str, *, author: str = CONFLUENT, version: str = "", path: str = BUILTIN
    ) -> None:
        self.category = category
        self.functions: dict[str, Function] = {}
        self._author, self._version, self._path = author, version, path

    def scalar(
        self,
        *signatures: str,
        returns: Provider | None = None,
        typed: bool = False,
        sees_null: bool = False,
        inline: str | None = None,
        deterministic: bool = True,
        primitive: tuple[str, ...] = (),
        about: str = "",
        notes: Mapping[str, str] | None = None,
    ) -> Callable[[Fn], Fn]:
        """Declare a scalar function for one or more signatures. `notes` describes arguments by name."""

        def declare(fn: Fn) -> Fn:
            for text in signatures:
                self._add(
                    "SCALAR",
                    Overload(
                        text,
                        fn,
                        about,
                        notes or {},
                        returns,
                        typed,
                        sees_null,
                        inline,
                        deterministic,
                        primitive=primitive,
                    ),
                )
            return fn

        return declare

    def aggregate(
        self, *signatures: str, about: str = "", settings: tuple[str, ...] = ()
    ) -> Callable[[Fn], Fn]:
        """Declare an aggregate: the function takes argument types and constants, gives an Aggregation."""

        def declare(fn: Fn) -> Fn:
            for text in signatures:
                self._add("AGGREGATE", Overload(text, fn, about, settings=settings))
            return fn

        return declare

    def table(self, *signatures: str, returns: Provider | None = None, about: str = "") -> Callable[[Fn], Fn]:
        """Declare a table function: it gives the values of its rows."""

        def declare(fn: Fn) -> Fn:
            for text in signatures:
                self._add("TABLE", Overload(text, fn, about, returns=returns))
            return fn

        return declare

    def _add(self, kind: Kind, overload: Overload) -> None:
        name = overload.text.partition("(")[0].strip().upper()
        old = self.functions.get(name)
        if old is None:
            old = Function(
                name,
                kind,
                self.category,
                inspect.getdoc(overload.fn) or "",
                self._author,
                self._version,
                self._path,
            )
        self.functions[name] = replace(old, overloads=(*old.overloads, overload))
