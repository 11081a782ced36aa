"""Remote calls inside lambdas, in batches: the expression runs again and again until no answer is missing.

Each round evaluates the rows that are not done; a call whose answer is not known yet is noted, and all calls that were
noted are then made together, one batch a function. A lambda of TRANSFORM or FILTER treats each element by itself, so
that a round notes the calls of all elements; any other (REDUCE) waits for each answer before the next element. So the
number of rounds is how deep calls depend on each other, whatever the number of rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.expressions.compiler import compile_function
from ksqlkit.engine.functions.contract import (
    ArgType,
    FunctionRegistry,
    LambdaType,
    RemoteCall,
    ResolvedScalar,
)
from ksqlkit.engine.schema import Column

ELEMENTWISE: Final = ("TRANSFORM", "FILTER")
Path = tuple[int, ...]  # which call of which run of a lambda it is, counted from the outside


class Missing(BaseException):
    """An answer is not there yet. No Exception: expressions replace those by null."""


class Replay:
    """Answers rows of the columns that a call with lambdas uses, as a remote function of its own."""

    def __init__(self, node: N.Expression, columns: Sequence[Column], functions: FunctionRegistry) -> None:
        self._run = _Run()
        registry = cast(FunctionRegistry, _Replayed(functions, self._run))
        self._evaluate = compile_function([node], columns, registry)

    def call(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        """One value or exception per row, in order."""
        answers: list[dict[Path, Any]] = [{} for _ in rows]
        results: list[Any] = [None] * len(rows)
        left = list(range(len(rows)))
        while left:
            asked: dict[int, list[tuple[int, Path, tuple[Any, ...]]]] = defaultdict(list)
            calls: dict[int, RemoteCall] = {}
            for row in left:
                results[row] = self._attempt(rows[row], answers[row])
                for path, (call, arguments) in self._run.missing.items():
                    calls[id(call)] = call
                    asked[id(call)].append((row, path, arguments))
            for key, wanted in asked.items():
                given = calls[key].call([arguments for _, _, arguments in wanted])
                for (row, path, _), value in zip(wanted, given, strict=True):
                    answers[row][path] = value
            left = sorted({row for wanted in asked.values() for row, _, _ in wanted})
        return results

    def _attempt(self, row: tuple[Any, ...], answers: dict[Path, Any]) -> Any:
        self._run.begin(answers)
        try:
            return self._evaluate(row)[0]
        except Missing:
            return None
        except Exception as error:
            return error


class _Run:
    """One evaluation of one row: the answers known, the calls found missing, and where it is."""

    def __init__(self) -> None:
        self.begin({})

    def begin(self, answers: dict[Path, Any]) -> None:
        self.answers = answers
        self.missing: dict[Path, tuple[RemoteCall, tuple[Any, ...]]] = {}
        self._at: list[int] = [0]  # the next number at each depth

    def _next(self) -> Path:
        self._at[-1] += 1
        return tuple(self._at)

    def asking(self, call: RemoteCall) -> Callable[..., Any]:
        """The remote function: its answer, or Missing."""

        def ask(*arguments: Any) -> Any:
            path = self._next()
            if path not in self.answers:
                self.missing[path] = (call, arguments)
                raise Missing
            answer = self.answers[path]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return ask

    def elementwise(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function whose lambdas go on to the next element where an answer is missing; it fails afterwards."""

        def lenient(body: Callable[..., Any]) -> Callable[..., Any]:
            def run(*elements: Any) -> Any:
                self._next()
                self._at.append(0)
                try:
                    return body(*elements)
                except Missing:
                    return object()  # equal to nothing; nobody sees it
                finally:
                    self._at.pop()

            return run

        def call(*arguments: Any) -> Any:
            before = len(self.missing)
            depth = len(self._at)
            try:
                return function(*(lenient(a) if callable(a) else a for a in arguments))
            except Exception:
                if len(self.missing) == before:
                    raise
            finally:
                del self._at[depth:]
                if len(self.missing) > before:
                    raise Missing
            return None

        return call


class _Replayed:
    """A registry whose remote functions ask the run."""

    def __init__(self, functions: FunctionRegistry, run: _Run) -> None:
        self._functions, self._replay = functions, run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._functions, name)

    def scalar(self, name: str, args: Sequence[ArgType]) -> ResolvedScalar:
        """Resolve a scalar call."""
        found = self._functions.scalar(name, args)
        if found.remote is not None:
            return replace(found, fn=self._replay.asking(found.remote), remote=None, inline=None)
        if name.upper() in ELEMENTWISE and any(isinstance(a, LambdaType) for a in args):
            return replace(found, fn=self._replay.elementwise(found.fn), inline=None)
        return found
