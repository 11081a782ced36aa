"""The registry: every function SQL can name, resolved by name and argument types, listed and described."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.clock import Clock, SystemClock
from ksqlkit.engine.functions import overloads as rules
from ksqlkit.engine.functions.contract import (
    ArgType,
    LambdaType,
    RemoteCall,
    ResolvedAggregate,
    ResolvedScalar,
    ResolvedTable,
)
from ksqlkit.engine.functions.define import BUILTIN, Aggregation, Family, Function, Kind, Overload
from ksqlkit.engine.functions.params import ParamType
from ksqlkit.errors import DataError, StatementError

# ksqlDB's messages show a function as its author spelled it; most are in lower case.
_SPELLED: Final = (
    "ARRAY_CONTAINS",
    "ARRAY_JOIN",
    "ARRAY_LENGTH",
    "AS_MAP",
    "AS_VALUE",
    "Abs",
    "ATTR",
    "COALESCE",
    "Ceil",
    "Chr",
    "COUNT",
    "COUNT_DISTINCT",
    "EARLIEST_BY_OFFSET",
    "ENTRIES",
    "Floor",
    "GENERATE_SERIES",
    "IFNULL",
    "IS_JSON_STRING",
    "JSON_ARRAY_CONTAINS",
    "JSON_ARRAY_LENGTH",
    "JSON_CONCAT",
    "JSON_ITEMS",
    "JSON_KEYS",
    "JSON_RECORDS",
    "LATEST_BY_OFFSET",
    "LPad",
    "MAX",
    "MIN",
    "NULLIF",
    "RPad",
    "Round",
    "STDDEV_SAMP",
    "STDDEV_SAMPLE",
    "SUM",
    "TO_JSON_STRING",
    "TOPK",
    "TOPKDISTINCT",
    "UUID",
)
_LABELS: Final = {n.upper(): n for n in _SPELLED}
_NO_ARGUMENT: Final = T.BIGINT  # ksqlDB gives COUNT(*) the record's timestamp


def _unargued(name: str) -> tuple[ArgType, ...]:
    """The argument types of an aggregate that is called without arguments: only COUNT may be."""
    return (_NO_ARGUMENT,) if name.upper() == "COUNT" else ()


@dataclass(frozen=True, slots=True)
class ArgumentInfo:
    """An argument as DESCRIBE FUNCTION shows it."""

    name: str
    type: str
    description: str
    variadic: bool


@dataclass(frozen=True, slots=True)
class VariationInfo:
    """An overload as DESCRIBE FUNCTION shows it."""

    arguments: tuple[ArgumentInfo, ...]
    returns: str
    description: str


@dataclass(frozen=True, slots=True)
class FunctionInfo:
    """A function as SHOW FUNCTIONS (the first three fields) and DESCRIBE FUNCTION show it."""

    name: str
    type: Kind
    category: str
    description: str
    author: str
    version: str
    path: str
    variations: tuple[VariationInfo, ...]


class Registry:
    """All functions; with `builtin` off, none. Functions may be added while queries run: a running query keeps
    what it resolved."""

    def __init__(self, *, builtin: bool = True, clock: Clock | None = None) -> None:
        self._functions: dict[str, Function] = {}
        if builtin:
            from ksqlkit.engine.functions.library import builtin_functions

            self._functions = builtin_functions(clock or SystemClock())

    def kind(self, name: str) -> Kind | None:
        """'SCALAR', 'AGGREGATE', 'TABLE', or None if there is no such function."""
        found = self._functions.get(name.upper())
        return found.kind if found else None

    def _find(self, name: str, kind: Kind) -> Function:
        found = self._functions.get(name.upper())
        if found is None or found.kind != kind:
            raise StatementError(f"Can't find any functions with the name '{name}'")
        return found

    def _choose(
        self, name: str, kind: Kind, args: Sequence[ArgType]
    ) -> tuple[Overload, tuple[ParamType, ...]]:
        function = self._find(name, kind)
        return rules.choose(_label(function.name), function.overloads, args, casts=kind != "AGGREGATE")

    def scalar(self, name: str, args: Sequence[ArgType]) -> ResolvedScalar:
        """Resolve a scalar call. Raises StatementError."""
        overload, pattern = self._choose(name, "SCALAR", [_unresolved(a) for a in args])
        taken = tuple(rules.coerced(p, a) for p, a in zip(pattern, args, strict=True))
        _refuse_array(overload, pattern, args)
        fn = overload.fn(taken) if overload.typed else overload.fn
        return ResolvedScalar(
            returns=_returns(name, overload, pattern, taken),
            params=taken,
            fn=_checked(fn, overload),
            null_propagates=not overload.sees_null and not overload.primitive,
            inline=overload.inline,
            remote=overload.remote,
            deterministic=overload.deterministic,
        )

    def lambda_params(self, name: str, index: int, args: Sequence[ArgType]) -> tuple[T.SqlType, ...]:
        """Types of the parameters of the lambda at argument `index`. Lambdas at and after it count only by their
        number of parameters. Raises StatementError."""
        known = [_unresolved(a) if i >= index else a for i, a in enumerate(args)]
        _, pattern = self._choose(name, "SCALAR", known)
        bound: rules.Generics = {}
        for param, arg in zip(pattern[:index], known[:index], strict=True):
            if param.generic:
                rules.reserve(param, arg, bound)
        return tuple(rules.substitute(name, p, bound) for p in pattern[index].args[:-1])

    def constants(self, name: str, args: Sequence[ArgType]) -> int:
        """How many trailing arguments of an aggregate call must be literals that configure it."""
        overload, _ = self._choose(name, "AGGREGATE", args or _unargued(name))
        return overload.signature.constants

    def aggregate(
        self,
        name: str,
        args: Sequence[ArgType],
        literals: Sequence[Any],
        properties: Mapping[str, object] | None = None,
    ) -> ResolvedAggregate:
        """Resolve an aggregate; `params` leaves out the constants. Raises StatementError."""
        overload, pattern = self._choose(name, "AGGREGATE", args or _unargued(name))
        count = overload.signature.constants
        columns = len(args) - count
        types = tuple(a for a in args[:columns] if a is not None and not isinstance(a, LambdaType))
        if args and len(types) < columns:
            raise StatementError(f"Failed to invoke UDAF factory method: {name} needs arguments with a type.")
        try:
            settings = ((properties or {}).get(s) for s in overload.settings)
            parts: Aggregation = overload.fn(types, (*literals[len(literals) - count :], *settings))
        except ValueError as e:
            raise StatementError("Failed to invoke UDAF factory method", hint=str(e)) from e
        return ResolvedAggregate(
            returns=parts.returns or _returns(name, overload, pattern, args or (_NO_ARGUMENT,)),
            params=types,
            init=parts.init,
            add=parts.add,
            result=parts.result,
            remove=parts.remove,
            merge=parts.merge,
            inline_add=parts.inline_add,
        )

    def table(self, name: str, args: Sequence[ArgType]) -> ResolvedTable:
        """Resolve a table function. Raises StatementError."""
        overload, pattern = self._choose(name, "TABLE", args)
        taken = tuple(rules.coerced(p, a) for p, a in zip(pattern, args, strict=True))
        params = tuple(T.STRING if t is None or isinstance(t, LambdaType) else t for t in taken)
        return ResolvedTable(_returns(name, overload, pattern, taken), params, overload.fn)

    def list(self) -> list[FunctionInfo]:
        """All functions by name."""
        return [_info(f) for _, f in sorted(self._functions.items())]

    def describe(self, name: str) -> FunctionInfo:
        """One function. Raises StatementError (40000) for an unknown name."""
        found = self._functions.get(name.upper())
        if found is None:
            raise StatementError(f"Can't find any functions with the name '{name}'", error_code=40000)
        return _info(found)

    def add(self, functions: Family | Iterable[Function]) -> None:
        """Add functions, replacing those of the same name. Raises ValueError for the name of a built-in one."""
        made = functions.functions.values() if isinstance(functions, Family) else functions
        added = {f.name.upper(): f for f in made}
        taken = [n for n in added if n in self._functions and self._functions[n].path == BUILTIN]
        if taken:
            raise ValueError(f"{', '.join(taken)} is a built-in function and cannot be replaced.")
        self._functions = {**self._functions, **added}

    @property
    def state(self) -> object:
        """An object that is another one after every change."""
        return self._functions

    def remove(self, name: str) -> None:
        """Forget a function; queries that resolved it keep it."""
        self._functions = {n: f for n, f in self._functions.items() if n != name.upper()}

    def _declare(self, family: Family) -> None:
        """Add overloads to names of the same kind; other names are new or replaced."""
        for name, function in family.functions.items():
            old = self._functions.get(name)
            if old and old.kind == function.kind and old.path != BUILTIN:
                for overload in function.overloads:
                    old = old.plus(overload)
                function = old
            self.add([function])

    def register_scalar(
        self,
        signatures: str | Sequence[str],
        fn: Callable[..., Any] | None = None,
        *,
        category: str = "OTHER",
        author: str = "",
        version: str = "",
        path: str = "python",
        **options: Any,
    ) -> Callable[..., Any]:
        """Register a Python scalar function, e.g. `"SHOUT(VARCHAR s) -> VARCHAR"`; without `fn`, a decorator.
        Options are those of Family.scalar. Raises ValueError for a signature that cannot be read."""
        return self._register("scalar", signatures, fn, category, author, version, path, options)

    def register_aggregate(
        self,
        signatures: str | Sequence[str],
        fn: Callable[..., Aggregation] | None = None,
        *,
        author: str = "",
        version: str = "",
        path: str = "python",
        **options: Any,
    ) -> Callable[..., Any]:
        """Register an aggregate: `fn(types, constants)` gives an Aggregation; without `fn`, a decorator."""
        return self._register("aggregate", signatures, fn, "AGGREGATE", author, version, path, options)

    def register_table(
        self,
        signatures: str | Sequence[str],
        fn: Callable[..., Any] | None = None,
        *,
        author: str = "",
        version: str = "",
        path: str = "python",
        **options: Any,
    ) -> Callable[..., Any]:
        """Register a Python table function: it gives the values of its rows; without `fn`, a decorator."""
        return self._register("table", signatures, fn, "TABLE", author, version, path, options)

    def _register(
        self,
        how: str,
        signatures: str | Sequence[str],
        fn: Callable[..., Any] | None,
        category: str,
        author: str,
        version: str,
        path: str,
        options: dict[str, Any],
    ) -> Callable[..., Any]:
        texts = (signatures,) if isinstance(signatures, str) else tuple(signatures)

        def declare(made: Callable[..., Any]) -> Callable[..., Any]:
            family = Family(category, author=author, version=version, path=path)
            getattr(family, how)(*texts, **options)(made)
            for function in family.functions.values():
                for overload in function.overloads:
                    _ = overload.signature  # a mistake shows here, not in a query
            self._declare(family)
            return made

        return declare if fn is None else declare(fn)

    def register_remote(
        self,
        name: str,
        overloads: Sequence[dict[str, Any]],
        call: RemoteCall,
        *,
        description: str = "",
        version: str = "",
        author: str = "",
        deterministic: bool = True,
        category: str = "AI",
        path: str = "remote",
    ) -> None:
        """Register or replace a function that `call` answers in batches. An overload is
        `{"args": [{"name", "type", "description"?}], "variadic": bool, "returns": type, "description"?}` with
        types as SQL text. Raises ParseError or ValueError for a type that cannot be read."""
        from ksqlkit.engine.functions.remote import remote_function

        self.add(
            [
                remote_function(
                    Function(name.upper(), "SCALAR", category, description, author, version, path),
                    overloads,
                    call,
                    deterministic=deterministic,
                )
            ]
        )


def _label(name: str) -> str:
    return _LABELS.get(name, name.lower())


def _unresolved(arg: ArgType) -> ArgType:
    return LambdaType(arg.params, None) if isinstance(arg, LambdaType) else arg


def _returns(
    name: str, overload: Overload, pattern: Sequence[ParamType], args: Sequence[ArgType]
) -> T.SqlType:
    """The provider's type, or the signature's; a bare DECIMAL is the type of the first decimal argument."""
    if overload.returns:
        return overload.returns(args)
    declared = overload.signature.returns
    if declared and declared.kind == "DECIMAL" and declared.decimal is None:
        return next(a for a in args if isinstance(a, T.Decimal))
    return rules.result_type(name, overload.signature, pattern, args)


def _refuse_array(overload: Overload, pattern: Sequence[ParamType], args: Sequence[ArgType]) -> None:
    """An array fits a variadic parameter when functions are looked up, but ksqlDB then cannot cast it."""
    at, params = overload.signature.variadic, overload.signature.params
    if at >= 0 and len(pattern) == len(params) and pattern[at] != params[at].type and args[at] is not None:
        given = str(args[at]).replace("`", "")
        element = given.removeprefix("ARRAY<")[:-1]
        raise StatementError(f"Cast of {given} to {element} is not supported.")


def _checked(fn: Callable[..., Any], overload: Overload) -> Callable[..., Any]:
    """The function with its primitive parameters checked."""
    if not overload.primitive:
        return fn
    places = [i for i, p in enumerate(overload.signature.params) if p.name in overload.primitive]

    def call(*args: Any) -> Any:
        for i in places:
            if args[i] is None:
                raise DataError(f"{overload.signature}: {overload.signature.params[i].name} must not be NULL")
        return None if None in args and not overload.sees_null else fn(*args)

    return call


def _info(function: Function) -> FunctionInfo:
    return FunctionInfo(
        function.name,
        function.kind,
        function.category,
        " ".join(function.description.split()),
        function.author,
        function.version,
        function.path,
        tuple(_variation(o) for o in function.overloads),
    )


def _variation(overload: Overload) -> VariationInfo:
    signature = overload.signature
    return VariationInfo(
        tuple(
            ArgumentInfo(p.name, str(p.type), overload.notes.get(p.name, ""), p.variadic)
            for p in signature.params
        ),
        str(signature.returns),
        overload.about,
    )
