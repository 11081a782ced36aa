"""Comparisons. A null operand makes them false, and IS DISTINCT FROM null-aware, so none yields null."""

from __future__ import annotations

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions.arithmetic import base_name
from ksqlkit.engine.expressions.code import Code, Names
from ksqlkit.errors import StatementError

TIMES = (T.TIME, T.DATE, T.TIMESTAMP)
_EQUALITY = ("=", "<>", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")
_NAMES = {
    "=": "EQUAL",
    "<>": "NOT_EQUAL",
    "<": "LESS_THAN",
    "<=": "LESS_THAN_OR_EQUAL",
    ">": "GREATER_THAN",
    ">=": "GREATER_THAN_OR_EQUAL",
    "IS DISTINCT FROM": "IS_DISTINCT_FROM",
    "IS NOT DISTINCT FROM": "IS_DISTINCT_FROM",
}
_PYTHON = {"=": "==", "<>": "!=", "IS DISTINCT FROM": "!=", "IS NOT DISTINCT FROM": "=="}
_PARSERS = {T.TIME: "parse_time", T.DATE: "parse_date", T.TIMESTAMP: "parse_timestamp"}


def check(op: N.CompareOp, left: T.SqlType | None, right: T.SqlType | None, texts: tuple[str, str]) -> None:
    """Raise StatementError, in ksqlDB's words, unless the types compare. `texts` are the operands' texts."""
    if left is None or right is None:
        names = ["NULL" if t is None else base_name(t) for t in (left, right)]
        raise StatementError(
            f"Comparison with NULL not supported: {names[0]} {op} {names[1]}\nUse 'IS NULL' or 'IS NOT NULL' instead."
        )
    if not _comparable(op, left, right):
        symbol = op.replace("NOT ", "")
        raise StatementError(
            f"Cannot compare {texts[0]} ({left}) to {texts[1]} ({right}) with {_NAMES[op]}.\n"
            f"Statement: ({texts[0]} {symbol} {texts[1]})"
        )


def _comparable(op: str, left: T.SqlType, right: T.SqlType) -> bool:
    if T.is_numeric(left):
        return T.is_numeric(right)
    if left == T.STRING:
        return right == T.STRING or right in TIMES
    if left == T.TIME:
        return right in (T.TIME, T.STRING)
    if left in (T.DATE, T.TIMESTAMP):
        return right in (T.DATE, T.TIMESTAMP, T.STRING)
    if left == T.BYTES:
        return right == T.BYTES
    return base_name(left) == base_name(right) and op in _EQUALITY


def compare(names: Names, op: N.CompareOp, left: Code, right: Code) -> Code:
    """`left op right` for types that `check` accepted."""
    test, test_raises = _test(names, op, left, right)
    raises = left.raises or right.raises or test_raises
    if not (left.nullable or right.nullable):
        return Code("(" + test.format(left.source, right.source) + ")", T.BOOLEAN, False, raises)
    (first_a, a), (first_b, b) = names.once(left), names.once(right)
    if op.startswith("IS"):
        sides = ((left, first_a), (right, first_b))
        both = " & ".join(
            f"({first} is not None)" for code, first in sides if code.nullable or not code.constant
        )
        same = "IS NOT" in op
        unequal = (
            f"{a} {'is' if same else 'is not'} {b}" if left.nullable and right.nullable else str(not same)
        )
        return Code(f"({test.format(a, b)} if {both} else {unequal})", T.BOOLEAN, False, raises)
    checks = _checks((left, first_a), (right, first_b))
    b = b if right.nullable else right.source
    return Code(f"({checks} and {test.format(a, b)})", T.BOOLEAN, False, raises)


def between(names: Names, value: Code, low: Code, high: Code) -> Code:
    """`value BETWEEN low AND high`; unlike comparisons its types are checked only by what compiles."""
    for bound in (low, high):
        if bound.type is None or value.type is None:
            raise StatementError("NULL is not supported in BETWEEN. Use 'IS NULL' or 'IS NOT NULL' instead.")
    at_least, raises_low = _test(names, ">=", value, low)
    at_most, raises_high = _test(names, "<=", value, high)
    first, v = names.once(value)
    first_low, lo = names.once(low) if low.nullable else (low.source, low.source)
    first_high, hi = names.once(high) if high.nullable else (high.source, high.source)
    if at_least == "{0} >= {1}" and at_most == "{0} <= {1}":
        test = f"{lo} <= {v} <= {hi}"
    else:
        test = f"{at_least.format(v, lo)} and {at_most.format(v, hi)}"
    checks = _checks((value, first), (low, first_low), (high, first_high))
    raises = value.raises or low.raises or high.raises or raises_low or raises_high
    return Code(f"({checks} and {test})" if checks else f"({test})", T.BOOLEAN, False, raises)


def _checks(first: tuple[Code, str], *others: tuple[Code, str]) -> str:
    # The first operand is evaluated before the others are looked at, so that its errors win over their nulls.
    wanted = [first] if first[0].nullable or not first[0].atomic else []
    wanted += [other for other in others if other[0].nullable]
    return " and ".join(f"{text} is not None" for _, text in wanted)


def _test(names: Names, op: str, left: Code, right: Code) -> tuple[str, bool]:
    """Text over {0} and {1}, each used once and not null, and whether it can raise."""
    a, b = left.type, right.type
    assert a is not None
    assert b is not None
    python = _PYTHON.get(op, op)
    if isinstance(a, T.Decimal) or isinstance(b, T.Decimal):
        if not (T.is_numeric(a) and T.is_numeric(b)):
            raise StatementError(f"Cannot compare {a} to {b} with {_NAMES[op]}.")
        helper = names.helper("double_as_dec")
        left_text, right_text = (
            f"{helper}({v})" if t == T.DOUBLE else v for t, v in ((a, "{0}"), (b, "{1}"))
        )
        return f"{left_text} {python} {right_text}", T.DOUBLE in (a, b)
    if a in TIMES or b in TIMES:
        return _time_test(names, python, a, b)
    if T.is_numeric(a) and T.is_numeric(b):
        if a == b == T.DOUBLE and python == "!=":
            return names.helper("double_differs") + "({0}, {1})", False
        mixed = T.DOUBLE in (a, b)  # Java compares a long with a double as doubles
        left_text, right_text = (
            f"float({v})" if mixed and t == T.BIGINT else v for t, v in ((a, "{0}"), (b, "{1}"))
        )
        return f"{left_text} {python} {right_text}", False
    if a in (T.BYTES, T.STRING) and a != b:
        # Only BETWEEN comes here: Java finds out when it runs.
        return names.helper("wrong_class") + "({0}, {1})", True
    if a == T.STRING and python not in ("==", "!=") and not (_ascii(left) or _ascii(right)):
        return f"{names.helper('text_order')}({{0}}, {{1}}) {python} 0", False
    if a == T.BYTES:
        if python in ("==", "!="):
            return f"{{0}} {python} {{1}}", False
        key = names.helper("signed_order")
        return f"{key}({{0}}) {python} {key}({{1}})", False
    if base_name(a) != base_name(b) or (a != T.STRING and python not in ("==", "!=")):
        raise StatementError(f"Unexpected {base_name(a).lower()} comparison: {op}")
    return f"{{0}} {python} {{1}}", False


def _ascii(code: Code) -> bool:
    """A constant next to which Python's order of characters and Java's order of UTF-16 units are the same."""
    return code.constant and code.source.isascii() and "\\" not in code.source


def _time_test(names: Names, python: str, a: T.SqlType, b: T.SqlType) -> tuple[str, bool]:
    target = next(t for t in (T.TIME, T.TIMESTAMP, T.DATE) if t in (a, b))
    sides: list[str] = []
    for t, value in ((a, "{0}"), (b, "{1}")):
        if t == T.STRING:
            sides.append(f"{names.helper(_PARSERS[target])}({value})")
        elif t == T.DATE and target == T.TIMESTAMP:
            sides.append(f"{value} * 86400000")
        elif t == target:
            # java.util.Date.compareTo sees the timestamp at full seconds only.
            sides.append(f"{value} // 1000 * 1000" if a == T.DATE != target else value)
        else:
            raise StatementError(f"Unexpected comparison to {target}: {base_name(t)}")
    return f"{sides[0]} {python} {sides[1]}", T.STRING in (a, b)
