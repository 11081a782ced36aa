"""Each kind of expression to Python text.

We follow the server's compiled code, which push queries run, not the interpreter of its pull queries, because that is
what decides what a persistent query writes. So a null operand of arithmetic, LIKE, NOT or a condition raises (Python's
own TypeError where that costs nothing), while CAST, nested calls and constructors turn errors into null on the spot.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Mapping
from typing import Any, Final

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions import arithmetic, casts, comparisons, runtime
from ksqlkit.engine.expressions.calls import call
from ksqlkit.engine.expressions.code import Code, Names, Scope, Variable, shown
from ksqlkit.engine.expressions.coercion import coerce_list, decimal_type
from ksqlkit.engine.functions.contract import INTERVAL_UNIT, FunctionRegistry
from ksqlkit.errors import StatementError

Emit = Callable[["Emitter", Any], Code]


class Emitter:
    """Turns one expression into Code; `lambdas` are the lambda parameters in sight."""

    def __init__(
        self,
        functions: FunctionRegistry,
        names: Names,
        scope: Scope,
        lambdas: Mapping[str, Variable] | None = None,
        *,
        types_only: bool = False,
    ) -> None:
        self.functions = functions
        self.names = names
        self.scope = scope
        self.lambdas = lambdas or {}
        self.types_only = types_only
        self._types: dict[int, tuple[N.Expression, T.SqlType | None]] = {}

    def __call__(self, node: N.Expression) -> Code:
        """Code of an expression. Raises StatementError."""
        emit = _EMIT.get(type(node))
        if emit is None:
            raise StatementError(f"{shown(node)} is not supported here.")
        return emit(self, node)

    def within(self, params: Mapping[str, Variable]) -> Emitter:
        """An emitter for the body of a lambda with these parameters."""
        for name in params:
            if name in self.lambdas:
                raise StatementError(f"Reusing lambda arguments in nested lambda is not allowed: {name}")
            if name in self.scope:
                raise StatementError(f"Lambda function argument can't be a column name: {name}")
        return Emitter(
            self.functions, self.names, self.scope, {**self.lambdas, **params}, types_only=self.types_only
        )

    def type_of(self, node: N.Expression) -> T.SqlType | None:
        """Type of an expression; its text is thrown away."""
        known = self._types.get(id(node))
        if known is None:
            self._types[id(node)] = known = node, self(node).type  # with the node, so that its id stays taken
        return known[1]

    # -- leaves ----------------------------------------------------------------------------------------------------

    def _constant(self, value: object, kind: T.SqlType) -> Code:
        text = repr(value)
        source = f"({text})" if text.startswith("-") else text
        return Code(source, kind, False, False, constant=True)

    def _double(self, node: N.DoubleLiteral) -> Code:
        value = node.value
        if value != value or value in (float("inf"), float("-inf")):
            return Code(self.names.bind(value), T.DOUBLE, False, False)
        return self._constant(value, T.DOUBLE)

    def _decimal(self, value: decimal.Decimal, kind: T.Decimal) -> Code:
        try:
            constant = runtime.dec_cast(value, kind.precision, kind.scale)
        except ArithmeticError:
            raise StatementError(f"A decimal number of {kind.precision} digits is too long.") from None
        return Code(self.names.bind(constant), kind, False, False)

    def _column(self, node: N.ColumnRef) -> Code:
        found = self.scope.get(node.name)
        if found is None:
            raise StatementError(f"Unknown column {node.name}.")
        return Code(found.source, found.type, True, False)

    def _lambda_variable(self, node: N.LambdaVariable) -> Code:
        found = self.lambdas.get(node.name)
        if found is None:
            raise StatementError(f"Unknown lambda variable {node.name}.")
        return Code(found.source, found.type, True, False)

    # -- operators -------------------------------------------------------------------------------------------------

    def _arithmetic(self, node: N.Arithmetic) -> Code:
        try:
            return arithmetic.binary(self.names, node.op, self(node.left), self(node.right))
        except StatementError as error:
            if error.message.startswith(("Arithmetic on", "Unsupported arithmetic")):
                text = shown(node)
                message = f"Error processing expression: {text}. {error.message}\nStatement: {text}"
                raise StatementError(message, statement=text) from None
            raise

    def _comparison(self, node: N.Comparison) -> Code:
        left, right = self(node.left), self(node.right)
        comparisons.check(node.op, left.type, right.type, (shown(node.left), shown(node.right)))
        return comparisons.compare(self.names, node.op, left, right)

    def _between(self, node: N.Between) -> Code:
        return comparisons.between(self.names, self(node.operand), self(node.low), self(node.high))

    def _plain(self, source: str, raises: bool) -> Code:
        return Code(source, T.BOOLEAN, nullable=False, raises=raises)

    def _condition(self, node: N.Expression, code: Code) -> Code:
        """A BOOLEAN that raises instead of being null."""
        if code.type != T.BOOLEAN:
            raise StatementError(f"Not a boolean expression: {shown(node)} is {code.type or 'NULL'}.")
        if not code.nullable:
            return code
        first, again = self.names.once(code)
        error = self.names.helper("null_error")
        return self._plain(f"({again} if {first} is not None else {error}())", True)

    def _logical(self, node: N.Logical) -> Code:
        left = self._condition(node.left, self(node.left))
        right = self._condition(node.right, self(node.right))
        if node.right == N.BooleanLiteral(node.op == "OR"):
            # The server's compiler drops the left side of `x OR TRUE` and of `x AND FALSE`.
            return right
        word = node.op.lower()
        bare = f"{left.bare if left.chain == word else left.source} {word} {right.source}"
        return Code(f"({bare})", T.BOOLEAN, False, left.raises or right.raises, bare=bare, chain=word)

    def _is_null(self, operand: N.Expression, test: str) -> Code:
        code = self(operand)
        if code.source == "None" or not (code.nullable or code.raises):
            return self._constant((code.source == "None") == (test == "is"), T.BOOLEAN)
        source = code.source if code.nullable else self.names.once(code)[0]
        return self._plain(f"({source} {test} None)", code.raises)

    def _in(self, node: N.InList) -> Code:
        items = [item for item in node.items if not isinstance(item, N.NullLiteral)]
        if not items:
            raise StatementError(f"IN needs a value that is not NULL: {shown(node)}")
        _, coerced = coerce_list([node.operand, *items], self.type_of)
        codes = [self(item) for item in coerced]
        raises = any(code.raises for code in codes)
        first, value = self.names.once(codes[0])
        literals = [item.value for item in coerced[1:] if isinstance(item, _HASHED)]
        if len(literals) == len(items) > 4:
            choices = self.names.bind(frozenset(literals))
        else:
            choices = "(" + ", ".join(code.source for code in codes[1:]) + ",)"
        check = f"{first} is not None and " if codes[0].nullable or first != value else ""
        return self._plain(f"({check}{value} in {choices})", raises)

    def _like(self, node: N.Like) -> Code:
        value, pattern = self(node.operand), self(node.pattern)
        for code in (value, pattern):
            if code.type is None:
                return self._plain(f"{self.names.helper('null_error')}()", True)
            if code.type != T.STRING:
                raise StatementError(f"LIKE takes STRING, not {code.type}: {shown(node)}")
        if isinstance(node.pattern, N.StringLiteral):
            try:
                match: object = runtime.like_regex(node.pattern.value, node.escape).fullmatch
            except ValueError:
                match = runtime.like_error(node.pattern.value, node.escape)
            return self._plain(f"({self.names.bind(match)}({value.source}) is not None)", True)
        helper = self.names.helper("like")
        return self._plain(f"{helper}({value.source}, {pattern.source}, {node.escape!r})", True)

    def _case(self, node: N.SearchedCase) -> Code:
        kind: T.SqlType | None = None
        parts: list[tuple[Code, Code]] = []
        for when in node.whens:
            condition, result = self(when.condition), self(when.result)
            if condition.type != T.BOOLEAN:
                text = shown(when.condition)
                raise StatementError(
                    f"WHEN operand type should be boolean.\nType for '{text}' is {condition.type or 'NULL'}"
                )
            if kind is not None and result.type is not None and result.type != kind:
                text = f"WHEN {shown(when.condition)} THEN {shown(when.result)}"
                raise StatementError(
                    "Invalid Case expression. Type for all 'THEN' clauses should be the same.\n"
                    f"THEN expression '{text}' has type: {result.type}.\nPrevious THEN expression(s) type: {kind}."
                )
            kind = kind or result.type
            parts.append((self._condition(when.condition, condition), result))
        default = self(node.default) if node.default else Code("None", None, True, False)
        if kind is not None and default.type is not None and default.type != kind:
            raise StatementError(
                "Invalid Case expression. Type for the default clause should be the same as for 'THEN' clauses.\n"
                f"THEN type: {kind}.\nDEFAULT type: {default.type}."
            )
        kind = kind or default.type
        if kind is None:
            raise StatementError("Invalid Case expression. All case branches have NULL type")
        text = "".join(f"{result.source} if {condition.source} else " for condition, result in parts)
        used = [default, *(code for pair in parts for code in pair)]
        nullable = default.nullable or any(result.nullable for _, result in parts)
        return Code(f"({text}{default.source})", kind, nullable, any(code.raises for code in used))

    # -- casts and nested values -------------------------------------------------------------------------------------

    def _cast(self, node: N.Cast) -> Code:
        return self.names.guard(casts.cast(self.names, self(node.operand), node.type), str(node.type))

    def _subscript(self, node: N.Subscript) -> Code:
        base, index = self(node.base), self(node.index)
        raises = base.raises or index.raises
        if isinstance(base.type, T.Array):
            index = self._index(node, index)
            if index.constant and index.source.isdigit() and base.atomic and index.source != "0":
                at = int(index.source) - 1
                source = f"({base.source}[{at}] if {base.source} is not None and len({base.source}) > {at} else None)"
                return Code(source, base.type.item, True, raises)
            helper = self.names.helper("array_item")
            return Code(
                f"{helper}({base.source}, {index.source})", base.type.item, True, raises or index.nullable
            )
        if isinstance(base.type, T.Map):
            first, again = self.names.once(base)
            return Code(
                f"(None if {first} is None else {again}.get({index.source}))", base.type.value, True, raises
            )
        hint = " Use the dereference operator for STRUCTS." if isinstance(base.type, T.Struct) else ""
        raise StatementError(f"Subscript expression ({shown(node)}) do not apply to {base.type}.{hint}")

    def _index(self, node: N.Subscript, index: Code) -> Code:
        """An array index as INTEGER. Java narrows primitive numbers, which only literals and arithmetic yield."""
        if index.type == T.INTEGER:
            return index
        primitive = isinstance(node.index, N.LongLiteral | N.DoubleLiteral | N.Arithmetic | N.Signed)
        if primitive and index.type in (T.BIGINT, T.DOUBLE):
            return casts.cast(self.names, index, T.INTEGER)
        raise StatementError(f"The index of an array must be an INTEGER, not {index.type}: {shown(node)}")

    def _dereference(self, node: N.Dereference) -> Code:
        base = self(node.base)
        if not isinstance(base.type, T.Struct):
            raise StatementError(f"Expected STRUCT type, got: {base.type}")
        kind = base.type.field(node.field)
        if kind is None:
            raise StatementError(f"Could not find field '{node.field}' in '{shown(node.base)}'.")
        first, again = self.names.once(base)
        source = f"(None if {first} is None else {again}[{node.field!r}])"
        return Code(source, kind, True, base.raises)

    def _array(self, node: N.ArrayConstructor) -> Code:
        if not node.items:
            raise StatementError(_EMPTY.format("Array", "element"))
        kind, items = coerce_list(node.items, self.type_of)
        if kind is None:
            raise StatementError(_ALL_NULL.format("an array", "elements", "value"))
        parts = [self.names.guard(self(item), "array item").source for item in items]
        return Code(f"[{', '.join(parts)}]", T.Array(kind), False, False)

    def _map(self, node: N.MapConstructor) -> Code:
        if not node.entries:
            raise StatementError(_EMPTY.format("Map", "key value pair"))
        keys, key_type = self._side("key", [key for key, _ in node.entries])
        values, value_type = self._side("value", [value for _, value in node.entries])
        entries = dict(zip(keys, values, strict=True))
        literals = [key.value for key, _ in node.entries if isinstance(key, N.StringLiteral)]
        source = ", ".join(f"{k}: {v}" for k, v in entries.items())
        if len(literals) == len(keys) and key_type == T.STRING:
            places = runtime.hash_order(dict(zip(literals, keys, strict=True)))
            source = ", ".join(f"{k}: {entries[k]}" for k in places.values())
        elif key_type == T.STRING and len(keys) > 1:
            return Code(
                f"{self.names.helper('hash_order')}({{{source}}})", T.Map(key_type, value_type), False, False
            )
        return Code(f"{{{source}}}", T.Map(key_type, value_type), False, False)

    def _side(self, what: str, items: list[N.Expression]) -> tuple[list[str], T.SqlType]:
        """Texts and common type of the keys or of the values of a map."""
        kind, coerced = coerce_list(items, self.type_of)
        if kind is None:
            raise StatementError(_ALL_NULL.format("a map", f"{what}s", what))
        return [self.names.guard(self(item), f"map {what}").source for item in coerced], kind

    def _struct(self, node: N.StructConstructor) -> Code:
        fields: list[tuple[str, T.SqlType]] = []
        parts: list[str] = []
        for name, value in node.fields:
            code = self.names.guard(self(value), "struct field")
            if code.type is None:
                raise StatementError(
                    f"Field {name} has no type. As a workaround, you may cast the NULL to one."
                )
            known = next((kind for other, kind in fields if other == name), None)
            if known is not None:
                raise StatementError(
                    f"Duplicate field names found in STRUCT: '`{name}` {known}' and '`{name}` {code.type}'"
                )
            fields.append((name, code.type))
            parts.append(f"{name!r}: {code.source}")
        return Code(f"{{{', '.join(parts)}}}", T.Struct(tuple(fields)), False, False)


_HASHED = (N.StringLiteral, N.IntegerLiteral, N.LongLiteral)
_ISSUE = "(see https://github.com/confluentinc/ksql/issues/4239)"
_EMPTY = "{} constructor cannot be empty. Please supply at least one {} " + _ISSUE + "."
_ALL_NULL = (
    "Cannot construct {} with all NULL {} "
    + _ISSUE
    + ". As a workaround, you may cast a NULL {} to the desired type."
)

_EMIT: Final[dict[type[N.Expression], Emit]] = {
    N.NullLiteral: lambda _e, _n: Code("None", None, True, False, constant=True),
    N.BooleanLiteral: lambda e, n: e._constant(n.value, T.BOOLEAN),
    N.IntegerLiteral: lambda e, n: e._constant(n.value, T.INTEGER),
    N.LongLiteral: lambda e, n: e._constant(n.value, T.BIGINT),
    N.DoubleLiteral: Emitter._double,
    N.DecimalLiteral: lambda e, n: e._decimal(n.value, decimal_type(n.value)),
    N.StringLiteral: lambda e, n: e._constant(n.value, T.STRING),
    N.ColumnRef: Emitter._column,
    N.LambdaVariable: Emitter._lambda_variable,
    N.IntervalUnit: lambda e, n: e._constant(n.unit, INTERVAL_UNIT),
    N.Arithmetic: Emitter._arithmetic,
    N.Signed: lambda e, n: arithmetic.signed(e.names, n.sign, e(n.operand)),
    N.Comparison: Emitter._comparison,
    N.Logical: Emitter._logical,
    N.Not: lambda e, n: e._plain(f"(not {e._condition(n.operand, e(n.operand)).source})", True),
    N.IsNull: lambda e, n: e._is_null(n.operand, "is"),
    N.IsNotNull: lambda e, n: e._is_null(n.operand, "is not"),
    N.Between: Emitter._between,
    N.InList: Emitter._in,
    N.Like: Emitter._like,
    N.SearchedCase: Emitter._case,
    N.Cast: Emitter._cast,
    N.Subscript: Emitter._subscript,
    N.Dereference: Emitter._dereference,
    N.ArrayConstructor: Emitter._array,
    N.MapConstructor: Emitter._map,
    N.StructConstructor: Emitter._struct,
    N.FunctionCall: call,
}
