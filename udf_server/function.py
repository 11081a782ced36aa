"""What a function is: one or more typed overloads over columns, and how to treat nulls, failures and time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from udf_server.errors import SignatureError
from udf_server.sqltype import Signature, parse_signature

# What a caller gets for a row: INVALID_INPUT the row is at fault, TIMEOUT its time ran out, UNAVAILABLE we
# are.
FAILURE_POLICIES: Final = ("null", "default", "fail", "block")

LONGEST_MESSAGE: Final = 500  # characters; what is wrong may be a value of a megabyte
LONGEST_NAME: Final = 500  # of what is remembered

Body = Callable[..., Any]  # a sequence or a numpy array


class RowError(Exception):
    """The error of one row. A function may return (or raise, for a single row) one in a value's place. A message is
    one line, the first, of at most LONGEST_MESSAGE characters: what libraries add is their stack."""

    def __init__(self, message: str, code: str = "INVALID_INPUT") -> None:
        message = message.strip().partition("\n")[0]
        message = message if len(message) <= LONGEST_MESSAGE else f"{message[: LONGEST_MESSAGE - 3]}..."
        super().__init__(message)
        self.message = message
        self.code = code


def too_long(what: str, name: str | None) -> RowError | None:
    """The error of a name that would be remembered and is longer than LONGEST_NAME characters."""
    if name is None or len(name) <= LONGEST_NAME:
        return None
    return RowError(f"{what} of {len(name)} characters; the limit is {LONGEST_NAME}")


@dataclass(frozen=True, eq=False, slots=True)
class Overload:
    """A signature and the body that answers it: columns in, one column out."""

    signature: Signature
    body: Body


@dataclass(eq=False)
class Function:
    """A SQL function. Calling it calls the Python body, so a function file can use its own functions."""

    name: str
    overloads: list[Overload]
    description: str
    version: int = 1
    deterministic: bool = True
    nulls: str = "null"
    on_failure: str = "null"
    default: Any = None
    batch_limit: int = 10_000
    timeout: float = 10.0
    model: str | None = None
    trained: str | None = None
    warm: Callable[[], object] | None = None
    attributions: Body | None = None
    context: bool = False
    example: str = ""
    origin: str = field(default="", compare=False)
    matrix_body: Body | None = None
    matrix_words: int = 0  # VARCHARs before the numbers

    def matrix(self, body: Body) -> Body:
        """Answer the first overload, one of DOUBLEs after VARCHARs or nothing, in a quicker form as well: the body
        takes a list for each VARCHAR, and the numbers as a matrix of rows by arguments, NaN for NULL."""
        kinds = [t.name for _, t in self.overloads[0].signature.arguments]
        self.matrix_words = kinds.count("VARCHAR")
        if kinds != sorted(kinds, reverse=True) or set(kinds) - {"VARCHAR"} != {"DOUBLE"}:
            raise SignatureError(f"{self.name}: a matrix stands for DOUBLEs, after VARCHARs or nothing")
        self.matrix_body = body
        return body

    def overload(self, signature: str) -> Callable[[Body], Body]:
        """Add another signature of the same function, answered by the decorated body."""

        def add(body: Body) -> Body:
            parsed = parse_signature(signature)
            if parsed.name != self.name:
                raise SignatureError(f"an overload of {self.name} is named {parsed.name}")
            self.overloads.append(Overload(parsed, body))
            return body

        return add

    def __call__(self, *columns: Any) -> Any:
        """Call the first overload's body."""
        return self.overloads[0].body(*columns)


def function(
    signature: str,
    *,
    version: int = 1,
    deterministic: bool = True,
    nulls: str = "null",
    on_failure: str = "null",
    default: Any = None,
    batch_limit: int = 10_000,
    timeout: float = 10.0,
    model: str | None = None,
    trained: str | None = None,
    warm: Callable[[], object] | None = None,
    attributions: Body | None = None,
    context: bool = False,
    example: str = "",
) -> Callable[[Body], Function]:
    """Make a SQL function of a vectorised Python callable; its docstring becomes the description.

    The body takes one list per argument, all of the same length, and returns that many values. With `model`,
    the loaded model of that name comes first; with `context`, the server's `Context` does. `trained` names the
    model that the body asks in place of its own rules once there is one. `nulls`: 'null' answers NULL for a row
    with a NULL argument, 'call' hands None to the body. `on_failure` is what SQL does when a row cannot be
    answered: 'null', 'default', 'fail', 'block'. `timeout` is in seconds. `warm` loads what the body needs.
    `attributions` takes what the body takes and returns a dict of contributions for each row, for the `_DETAIL`
    form.
    """
    if nulls not in ("null", "call"):
        raise SignatureError(f"nulls must be 'null' or 'call', not {nulls!r}")
    if on_failure not in FAILURE_POLICIES:
        raise SignatureError(f"on_failure must be one of {', '.join(FAILURE_POLICIES)}, not {on_failure!r}")
    if batch_limit < 1 or timeout <= 0 or version < 1:
        raise SignatureError("batch_limit, timeout and version must be positive")
    parsed = parse_signature(signature)
    if not parsed.arguments:
        raise SignatureError(f"{parsed.name} takes no arguments: a function of columns needs at least one")

    def wrap(body: Body) -> Function:
        return Function(
            name=parsed.name,
            overloads=[Overload(parsed, body)],
            description=" ".join((body.__doc__ or "").split()),
            version=version,
            deterministic=deterministic,
            nulls=nulls,
            on_failure=on_failure,
            default=default,
            batch_limit=batch_limit,
            timeout=timeout,
            model=model,
            trained=trained,
            warm=warm,
            attributions=attributions,
            context=context,
            example=example,
        )

    return wrap
