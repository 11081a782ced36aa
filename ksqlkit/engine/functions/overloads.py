"""Which overload of a function takes given argument types, by ksqlDB's rules.

Candidates without implicit casts win over candidates with them. Among several, the one without a variadic
parameter wins, then the one with more parameters, with fewer type variables, without `ANY...`, with the variadic
parameter further right; a tie is an error. A variadic parameter also accepts one array, and NULL fits everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TypeVar

from ksqlkit.dialect import types as T
from ksqlkit.engine.functions.contract import INTERVAL_UNIT, ArgType, LambdaType
from ksqlkit.engine.functions.params import Param, ParamType, Signature, from_sql, to_sql
from ksqlkit.errors import StatementError

_NUMBERS: Final = ("INT", "BIGINT", "DECIMAL", "DOUBLE")
_FROM_TEXT: Final = ("TIME", "DATE", "TIMESTAMP", "BYTES")
_HINT: Final = "For detailed information on a function run: DESCRIBE FUNCTION <Function-Name>;"

Generics = dict[str, T.SqlType]


class HasSignature(Protocol):
    """An overload."""

    @property
    def signature(self) -> Signature:
        """Its parsed signature."""


Overload = TypeVar("Overload", bound=HasSignature)


def choose(
    label: str, overloads: Sequence[Overload], args: Sequence[ArgType], *, casts: bool
) -> tuple[Overload, tuple[ParamType, ...]]:
    """The overload for the arguments and the type each argument is taken as.

    Raises StatementError when none fits or several fit equally well.
    """
    for allow in (False, True) if casts else (False,):
        found = _candidates(overloads, args, allow)
        if not found:
            continue
        if len(found) > 1 and _rank(found[-1][0].signature) == _rank(found[-2][0].signature):
            raise StatementError(_ambiguous(label, overloads, args))
        return found[-1]
    raise StatementError(_no_match(label, overloads, args))


def _candidates(
    overloads: Sequence[Overload], args: Sequence[ArgType], casts: bool
) -> list[tuple[Overload, tuple[ParamType, ...]]]:
    """Fitting overloads, best last. Of overloads that expand to the same types only the best counts."""
    by_types: dict[tuple[str, ...], tuple[Overload, tuple[ParamType, ...]]] = {}
    for overload in overloads:
        for pattern in expansions(overload.signature, len(args)):
            if not _fits(pattern, args, casts):
                continue
            key = tuple(map(str, pattern))
            old = by_types.get(key)
            if old is None or _rank(overload.signature) > _rank(old[0].signature):
                by_types[key] = (overload, pattern)
    return sorted(by_types.values(), key=lambda c: _rank(c[0].signature))


def expansions(signature: Signature, count: int) -> list[tuple[ParamType, ...]]:
    """The parameter types of a call with `count` arguments: variadic repeated, or given as one array."""
    params, at = signature.params, signature.variadic
    if at < 0:
        return [tuple(p.type for p in params)] if count == len(params) else []
    before, after = params[:at], params[at + 1 :]
    spread = count - len(params) + 1
    if spread < 0:
        return []
    found = [_types((*before, *[params[at]] * spread, *after))]
    if spread == 1 and (not before or not after):
        found.append((*_types(before), ParamType("ARRAY", (params[at].type,)), *_types(after)))
    return found


def _types(params: Sequence[Param]) -> tuple[ParamType, ...]:
    return tuple(p.type for p in params)


def _fits(pattern: Sequence[ParamType], args: Sequence[ArgType], casts: bool) -> bool:
    generics: Generics = {}
    left, right = 0, len(args) - 1
    while left <= right:
        for i in (left, right) if left < right else (left,):
            param, arg = pattern[i], args[i]
            if arg is None or arg == INTERVAL_UNIT:  # neither has a SQL type, so ksqlDB lets both pass
                continue
            if param.generic:
                if reserve(param, arg, generics) is not None:
                    return False
            elif not _compatible(param, arg, casts):
                return False
        left, right = left + 1, right - 1
    return True


def _rank(signature: Signature) -> tuple[int, int, int, int, int]:
    generic = [p.type.generic or (p.variadic and p.type.kind == "ANY") for p in signature.params]
    any_variadic = any(p.variadic and p.type.kind == "ANY" for p in signature.params)
    at = signature.variadic
    return (int(at < 0), len(signature.params), -sum(generic), int(not any_variadic), at)


def reserve(param: ParamType, arg: ArgType, generics: Generics) -> str | None:
    """Bind the type variables of `param` as the argument requires. Returns what is wrong, or None."""
    pairs: list[tuple[str, T.SqlType]] = []
    if not _bind(param, arg, pairs):
        return (
            f"Cannot infer generics for {param} from {_text(arg)} "
            "because they do not have the same schema structure."
        )
    for name, sql in pairs:
        old = generics.setdefault(name, sql)
        if old != sql:
            return (
                f"Found invalid instance of generic schema when mapping {param} to {_text(arg)}. "
                f"Cannot map {name} to both {_text(old)} and {_text(sql)}"
            )
    return None


def _bind(param: ParamType, arg: ArgType, pairs: list[tuple[str, T.SqlType]]) -> bool:
    if isinstance(arg, LambdaType):
        if param.kind != "LAMBDA" or len(arg.params) != len(param.args) - 1:
            return False
        if arg.returns is None:
            return True
        return all(_bind(p, a, pairs) for p, a in zip(param.args, (*arg.params, arg.returns), strict=True))
    if arg is None:
        return True
    if param.kind == "GENERIC":
        pairs.append((param.names[0], arg))
        return True
    if param.kind == "ARRAY":
        return isinstance(arg, T.Array) and _bind(param.args[0], arg.item, pairs)
    if param.kind == "MAP":
        return (
            isinstance(arg, T.Map)
            and _bind(param.args[0], arg.key, pairs)
            and _bind(param.args[1], arg.value, pairs)
        )
    return _kind(arg) == param.kind


def _kind(sql: T.SqlType) -> str:
    return from_sql(sql).kind if isinstance(sql, T.Primitive) else type(sql).__name__.upper()


def _compatible(param: ParamType, arg: ArgType, casts: bool) -> bool:
    if param.kind == "ANY":
        return True
    if isinstance(arg, LambdaType):
        return param.kind == "LAMBDA" and len(arg.params) == len(param.args) - 1
    if arg is None:
        return True
    if param.kind == "ARRAY" and isinstance(arg, T.Array):
        return _compatible(param.args[0], arg.item, casts)
    if param.kind == "MAP" and isinstance(arg, T.Map):
        return _compatible(param.args[0], arg.key, casts) and _compatible(param.args[1], arg.value, casts)
    if param.kind == "STRUCT" and isinstance(arg, T.Struct):
        fields = dict(zip(param.names, param.args, strict=True))
        if not fields or not arg.fields:
            return True
        return fields.keys() == {n for n, _ in arg.fields} and all(
            _compatible(fields[n], t, False) for n, t in arg.fields
        )
    kind = _kind(arg)
    if kind == param.kind:
        return True
    if not casts:
        return False
    if kind in _NUMBERS and param.kind in _NUMBERS:
        return _NUMBERS.index(kind) <= _NUMBERS.index(param.kind)
    return kind == "VARCHAR" and param.kind in _FROM_TEXT


def coerced(param: ParamType, arg: ArgType) -> ArgType:
    """The type an argument must be cast to for a parameter that accepts it."""
    if arg is None or isinstance(arg, LambdaType) or param.kind == "ANY" or param.generic:
        return arg
    if isinstance(arg, T.Array | T.Map):
        inner = (arg.item,) if isinstance(arg, T.Array) else (arg.key, arg.value)
        made = [coerced(p, a) for p, a in zip(param.args, inner, strict=True)]
        if tuple(made) == inner:
            return arg
        return T.Array(*made) if isinstance(arg, T.Array) else T.Map(*made)  # type: ignore[arg-type]
    if isinstance(arg, T.Struct):
        return arg
    if param.kind == "DECIMAL" and param.decimal is None:
        if arg == T.INTEGER:
            return T.Decimal(10, 0)
        return T.Decimal(19, 0) if arg == T.BIGINT else arg
    return to_sql(param, {})


def result_type(
    label: str, signature: Signature, pattern: Sequence[ParamType], args: Sequence[ArgType]
) -> T.SqlType:
    """The result type of a call; the arguments bind type variables in order. Raises StatementError."""
    assert signature.returns is not None
    bound: Generics = {}
    if signature.returns.generic:
        if None in args[: len(signature.params)]:  # ksqlDB fails with an internal error here
            raise StatementError(
                f"Function '{label}' cannot tell its result's type from a NULL literal.",
                hint="Cast the NULL to the type that is meant, as in CAST(NULL AS INT).",
            )
        for param, arg in zip(pattern, args, strict=True):
            own: Generics = {}
            if param.generic or param.kind == "LAMBDA":
                wrong = reserve(param, arg, own)
                if wrong:
                    raise StatementError(wrong)
            bound.update(own)
    return substitute(label, signature.returns, bound)


def substitute(label: str, kind: ParamType, generics: Mapping[str, T.SqlType]) -> T.SqlType:
    """A type with its variables replaced. Raises StatementError for one that no argument determines."""
    try:
        return to_sql(kind, generics)
    except KeyError as e:
        raise StatementError(
            f"Could not find mapping for generic type: {e.args[0]}",
            hint=f"Cast a NULL argument of {label} to the type that is meant.",
        ) from None


def _text(arg: ArgType) -> str:
    return str(arg).replace("`", "")


def _shown(args: Sequence[ArgType]) -> str:
    """Argument types in a message. ksqlDB looks for the function before it knows the types in a lambda, and prints
    a time unit as null."""
    words = ["null" if a is None else "LAMBDA" if isinstance(a, LambdaType) else _text(a) for a in args]
    return f"({', '.join('null' if w == 'INTERVAL UNIT' else w for w in words)})"


def _alternatives(overloads: Sequence[HasSignature]) -> str:
    return "\n".join(str(o.signature) for o in overloads)


def _no_match(label: str, overloads: Sequence[HasSignature], args: Sequence[ArgType]) -> str:
    return (
        f"Function '{label}' does not accept parameters {_shown(args)}.\n"
        f"Valid alternatives are:\n{_alternatives(overloads)}\n{_HINT}"
    )


def _ambiguous(label: str, overloads: Sequence[HasSignature], args: Sequence[ArgType]) -> str:
    return (
        f"Function '{label}' cannot be resolved due to ambiguous method parameters {_shown(args)}.\n"
        "Use CAST() to explicitly cast your parameters to one of the supported function calls.\n"
        f"Valid function calls are:\n{_alternatives(overloads)}\n{_HINT}"
    )
