"""What a SQL function is, for the analyser, the compiler and the operators.

A name resolves, for given argument types, to one of the Resolved* forms below; those hold only what is
needed to run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ksqlkit.dialect.types import Primitive, SqlType

# The type of a bare time unit (nodes.IntervalUnit) as an argument; its value is the unit's name, e.g. "DAYS".
INTERVAL_UNIT: Final = Primitive("INTERVAL UNIT")


@dataclass(frozen=True, slots=True)
class LambdaType:
    """The type of a lambda argument: parameter types and result type; None where not known yet."""

    params: tuple[SqlType | None, ...]
    returns: SqlType | None

    def __str__(self) -> str:
        return f"LAMBDA ({', '.join(map(str, self.params))}) => {self.returns}"


# A type of an argument as seen by overload resolution. None is the type of the literal NULL.
ArgType = SqlType | LambdaType | None


class RemoteCall(Protocol):
    """A function answered elsewhere, many rows at once."""

    def call(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        """One result per row, in order: a value, or an exception instance for a row that failed."""


@dataclass(frozen=True, slots=True)
class ResolvedScalar:
    """A scalar function for certain argument types.

    `params` are the types the arguments must be coerced to before the call (same length as the arguments).
    `fn` takes Python values as `ksqlkit.dialect.types` describes; lambdas arrive as Python callables.
    With `null_propagates`, a None argument gives None without a call.
    `inline` is a Python expression template over {0}, {1}, ... equal to fn for non-null arguments, or None.
    `remote` is set for functions answered in batches; then `fn` is a call of one row.
    """

    returns: SqlType
    params: tuple[ArgType, ...]
    fn: Callable[..., Any]
    null_propagates: bool = False
    inline: str | None = None
    remote: RemoteCall | None = None
    deterministic: bool = True


@dataclass(frozen=True, slots=True)
class ResolvedAggregate:
    """An aggregate for certain argument types; `state` is any msgpack-like value (None, bool, int, float,
    str, bytes, Decimal, list, dict of those), so that it can be stored.

    `add(state, *args)` returns the new state; `remove` (tables only) undoes an add, None where ksqlDB has
    no undo; `merge(a, b)` joins two sessions; `result(state)` is the value shown.
    `inline_add` is a Python expression template over {state}, {0}, {1}... equal to add, or None.
    """

    returns: SqlType
    params: tuple[SqlType, ...]
    init: Callable[[], Any]
    add: Callable[..., Any]
    result: Callable[[Any], Any] | None = None  # None: the state is the value
    remove: Callable[..., Any] | None = None
    merge: Callable[[Any, Any], Any] | None = None
    inline_add: str | None = None


@dataclass(frozen=True, slots=True)
class ResolvedTable:
    """A table function: `fn(*args)` returns the rows (one value each) of type `returns`."""

    returns: SqlType
    params: tuple[SqlType, ...]
    fn: Callable[..., Sequence[Any] | None]


class FunctionRegistry(Protocol):
    """All functions SQL can name. Names are case-insensitive. Unknown names and arguments that fit no
    overload raise StatementError with ksqlDB's message."""

    def kind(self, name: str) -> str | None:
        """'SCALAR', 'AGGREGATE', 'TABLE', or None if there is no such function."""

    def scalar(self, name: str, args: Sequence[ArgType]) -> ResolvedScalar:
        """Resolve a scalar call. A lambda argument is first given as LambdaType with the types known so far;
        see `lambda_params`."""

    def lambda_params(self, name: str, index: int, args: Sequence[ArgType]) -> tuple[SqlType, ...]:
        """Types of the parameters of the lambda at argument `index`, from the other arguments' types
        (which may include already resolved lambdas before it)."""

    def constants(self, name: str, args: Sequence[ArgType]) -> int:
        """How many trailing arguments of an aggregate call must be literals that configure it."""

    def aggregate(
        self,
        name: str,
        args: Sequence[ArgType],
        literals: Sequence[Any],
        properties: Mapping[str, object] | None = None,
    ) -> ResolvedAggregate:
        """Resolve an aggregate. `literals` holds the constant trailing arguments that configure it, in order
        (for example the k of TOPK); `args` has the types of all arguments; `properties` holds settings such as
        ksql.functions.collect_list.limit."""

    def table(self, name: str, args: Sequence[ArgType]) -> ResolvedTable:
        """Resolve a table function."""
