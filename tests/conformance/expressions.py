"""The expression oracle: what a real server answered for thousands of expressions, against ours.

Every case is a SELECT of one expression over six recorded rows; type text, the six values (numbers by their printed
text) and rejections are compared. Cases known to differ are data: gaps_expressions.txt.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse_one
from ksqlkit.dialect import types as T
from ksqlkit.engine.catalog import Format
from ksqlkit.engine.expressions import compile_function, infer_type
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import make_deserializer
from ksqlkit.engine.wire import make_row_encoder
from ksqlkit.errors import KsqlkitError

GAPS = Path(__file__).with_name("gaps_expressions.txt")
_PSEUDO = (Column("ROWTIME", T.BIGINT), Column("ROWPARTITION", T.INTEGER), Column("ROWOFFSET", T.BIGINT))


class Number(str):
    """A JSON number by its text."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: a type with six values, or an error message; and how many errors it logged."""

    type: str = ""
    rows: list[Any] = field(default_factory=list)
    error: str | None = None
    logged: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """One expression of the oracle."""

    id: int
    group: str
    text: str
    expected: Answer
    compare_values: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case, what we answered, and whether that is the same."""

    case: Case
    answer: Answer
    passed: bool


def reference() -> Path | None:
    """The folder of recorded answers: $KSQLDB_REFERENCE or ../shared/ksqldb."""
    root = os.environ.get("KSQLDB_REFERENCE")
    path = Path(root) if root else Path(__file__).resolve().parents[3] / "shared" / "ksqldb"
    return path if (path / "oracle" / "expressions.jsonl").is_file() else None


def _loads(text: str | bytes) -> Any:
    return json.loads(text, parse_float=Number, parse_int=Number)


def load_cases(root: Path) -> Iterator[Case]:
    """The cases, in order."""
    with (root / "oracle" / "expressions.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            raw = _loads(line)
            error = raw.get("error")
            expected = Answer(error=error["message"]) if error else Answer(raw["type"], raw["rows"])
            expected = replace(expected, logged=int(raw.get("log", 0)))
            yield Case(int(raw["id"]), raw["group"], raw["expr"], expected, not raw.get("nondeterministic"))


def load_gaps(path: Path = GAPS) -> dict[int, str]:
    """Known differences: id -> reason. Lines are `id id ...: reason`; `#` starts a comment."""
    gaps: dict[int, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.split("#")[0].strip()
        if text:
            ids, _, reason = text.partition(":")
            gaps.update({int(number): reason.strip() for number in ids.split()})
    return gaps


class Oracle:
    """Answers cases with our own engine's parts."""

    def __init__(self, root: Path) -> None:
        given = json.loads((root / "oracle" / "input.json").read_text(encoding="utf-8"))
        source = parse_one(given["ddl"])
        assert isinstance(source, N.CreateSource)
        self._read = make_deserializer(
            Format("JSON"), [Column(c.name, c.type) for c in source.columns], is_key=False
        )
        self.columns = (*(Column(c.name, c.type) for c in source.columns), *_PSEUDO)
        self.records = [text.encode() for text in given["raw_values"]]
        self.functions = Registry()

    def rows(self) -> list[tuple[Any, ...]]:
        """The six rows; read again each time, as some functions change their argument in place."""
        return [(*(self._read(record) or ()), 0, 0, at) for at, record in enumerate(self.records)]

    def answer(self, text: str) -> Answer:
        """Our answer to the SELECT that the server was asked."""
        try:
            statement = parse_one(f"SELECT ID, {text} AS C0 FROM EXPR_IN EMIT CHANGES LIMIT 6;")
            assert isinstance(statement, N.QueryStatement)
            item = statement.query.select[1]
            if len(statement.query.select) != 2 or not isinstance(item, N.SelectColumn):
                return Answer(error="not one expression")
            kind = infer_type(item.expression, {c.name: c.type for c in self.columns}, self.functions)
            if kind is None:
                return Answer(error="NULL expression not supported")
            errors: list[str] = []
            evaluate = compile_function(
                [item.expression], self.columns, self.functions, lambda what, _: errors.append(what)
            )
        except KsqlkitError as error:
            return Answer(error=error.message)
        encode = make_row_encoder([kind])
        try:
            rows = [_loads(encode(evaluate(row)))[0] for row in self.rows()]
        except ValueError as error:
            return Answer(error=str(error))
        return Answer(str(kind), rows, logged=len(errors))

    def run(self, cases: Iterable[Case]) -> Iterator[Outcome]:
        """Outcomes, one for each case."""
        for case in cases:
            answer = self.answer(case.text)
            yield Outcome(case, answer, _same(case, answer))


def _same(case: Case, answer: Answer) -> bool:
    if case.expected.error is not None or answer.error is not None:
        return case.expected.error is not None and answer.error is not None
    return answer.type == case.expected.type and (
        answer.rows == case.expected.rows or not case.compare_values
    )


@cache
def outcomes() -> tuple[Outcome, ...]:
    """All outcomes. Raises FileNotFoundError without the reference data."""
    root = reference()
    if root is None:
        raise FileNotFoundError("no reference data; set KSQLDB_REFERENCE")
    return tuple(Oracle(root).run(load_cases(root)))


def totals(results: Iterable[Outcome]) -> dict[str, tuple[int, int]]:
    """(passed, total) by group; over all: `values`, `errors`, and `log`, cases with as many logged errors."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for outcome in results:
        if outcome.case.expected.error is None and outcome.answer.error is None:
            counts["log"][0] += outcome.case.expected.logged == outcome.answer.logged
            counts["log"][1] += 1
        kind = "values" if outcome.case.expected.error is None else "errors"
        for group in (kind, outcome.case.group):
            counts[group][0] += outcome.passed
            counts[group][1] += 1
    return {group: (passed, total) for group, (passed, total) in sorted(counts.items())}


def report() -> dict[str, Any]:
    """Counts for `make conformance`."""
    features = totals(outcomes())
    values, errors, log = (features.pop(name) for name in ("values", "errors", "log"))
    passed, total = values[0] + errors[0], values[1] + errors[1]
    return {
        "passed": passed,
        "failed": total - passed,
        "total": total,
        "values": values,
        "errors": errors,
        "log": log,
        "features": features,
    }
