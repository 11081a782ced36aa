"""Run tests: each on an engine of its own, in memory, with those models of the project that it needs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import orjson

from ksqlkit.client.embedded import EmbeddedClient
from ksqlkit.dialect import nodes as N
from ksqlkit.dialect.lexer import IDENTIFIER, tokenize
from ksqlkit.dialect.types import SqlType
from ksqlkit.engine.engine import Engine
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.statements.values import evaluate
from ksqlkit.engine.wire import make_row_encoder
from ksqlkit.errors import KsqlkitError, Location, SqlError
from ksqlkit.project.graph import read_names
from ksqlkit.project.loader import Loader
from ksqlkit.project.model import Model, Project
from ksqlkit.testing.cases import Case, Step
from ksqlkit.testing.records import Reader
from ksqlkit.testing.stubs import replace_calls, with_details

_ASSERTIONS = (N.AssertValues, N.AssertSource, N.AssertTopic, N.AssertSchema)
EARLIEST = {"auto.offset.reset": "earliest"}
# Tests written for ksqlDB's runner set it; a server's requests may not.
ALWAYS = "ksql.create.or.replace.enabled"


@dataclass(frozen=True, slots=True)
class Difference:
    """A column that is not as asserted, both values as JSON text."""

    column: str
    expected: str
    actual: str


class Unequal(Exception):
    """An assertion does not hold."""

    def __init__(self, message: str, differences: Iterable[Difference] = ()) -> None:
        super().__init__(message)
        self.differences = tuple(differences)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test went: failed by an assertion, or error where a statement was refused."""

    case: Case
    status: Literal["passed", "failed", "error"]
    seconds: float
    message: str = ""
    place: Location | None = None
    differences: tuple[Difference, ...] = ()


@dataclass(slots=True)
class Runner:
    """Runs tests of one project. The scoring server is asked only for models that call what the engine has not."""

    loader: Loader
    scoring_url: str | None = None
    _project: Project | None = None
    _builtin: Registry = field(default_factory=Registry)

    def run(self, case: Case) -> Outcome:
        """Run one test. Raises UserErrors of the project's templates; what the test does wrong is in the outcome."""
        if case.fails is None and not any(isinstance(s.node, _ASSERTIONS) for s in case.steps):
            return Outcome(
                case, "error", 0.0, "The test asserts nothing", Location(str(case.file), case.line)
            )
        project = self._project = self._project or self.loader.load()
        needed = needed_models(project, case)
        stubs = with_details(case.stubs)
        try:
            models = [replace_calls(m.sql, m.statement, stubs) for m in needed]
            steps = [s._replace(text=replace_calls(s.text, s.node, stubs)) for s in case.steps]
        except SqlError as exc:
            return Outcome(case, "error", 0.0, exc.message, Location(str(case.file), case.line))
        texts = [*models, *(s.text for s in steps)]
        called = {name for text in texts for name in _called(text)} - _names(project, case)
        remote = any(self._builtin.kind(name) is None for name in called)
        client = EmbeddedClient.open(":memory:", self.scoring_url if remote else None)
        begun = time.perf_counter()
        place: Location | None = None
        try:
            for model, text in zip(needed, models, strict=True):
                place = model.location
                try:
                    client.execute(text, properties=EARLIEST)
                except SqlError as exc:
                    if text is not model.sql:  # places in a text with stubs are none of the template
                        exc = SqlError(exc.message, hint=exc.hint)
                    raise self.loader.locate(model, exc) from None
            run = _Run(client)
            for step in steps:
                place = step.place
                run.step(step)
        except Unequal as exc:
            return Outcome(case, "failed", time.perf_counter() - begun, str(exc), place, exc.differences)
        except KsqlkitError as exc:
            took = time.perf_counter() - begun
            if case.fails is not None and case.fails in exc.message:
                return Outcome(case, "passed", took)
            return Outcome(case, "error", took, exc.message, _place(exc, place))
        finally:
            client.close()
        took = time.perf_counter() - begun
        if case.fails is not None:
            message = f"No statement was refused with: {case.fails}"
            return Outcome(case, "failed", took, message, Location(str(case.file), case.line))
        return Outcome(case, "passed", took)


def _names(project: Project, case: Case) -> set[str]:
    """Streams, tables and types: `INTO ORDERS (` calls no function."""
    return (
        {m.name for m in project.models}
        | {n for s in case.steps for n in _named(s.node)}
        | {"DECIMAL", "VARCHAR"}
    )


def _named(node: N.Statement) -> set[str]:
    members = (getattr(node, member, None) for member in ("target", "name"))
    return {*read_names(node), *(found for found in members if isinstance(found, str))}


def needed_models(project: Project, case: Case) -> list[Model]:
    """Types, and what the test names, with all that fills it; not what the test itself makes."""
    named: set[str] = set()
    made: set[str] = set()
    for step in case.steps:
        named |= _named(step.node)
        if isinstance(step.node, N.CreateSource | N.CreateAsSelect | N.CreateType):
            made.add(step.node.name)
    wanted = named - made
    while True:
        chosen = [
            m
            for m in project.models
            if m.name not in made and (m.name in wanted or m.kind == "TYPE" or _inserts(m) in wanted)
        ]
        more = {parent for m in chosen for parent in m.parents} - wanted
        if not more:
            return chosen
        wanted |= more


def _inserts(model: Model) -> str | None:
    return model.statement.target if isinstance(model.statement, N.InsertInto) else None


@dataclass(slots=True)
class _Run:
    client: EmbeddedClient
    properties: dict[str, Any] = field(default_factory=lambda: dict(EARLIEST))
    readers: dict[str, Reader] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        return self.client.engine

    def step(self, step: Step) -> None:
        match step.node:
            case N.SetProperty(name=name, value=value):
                if name != ALWAYS:
                    self.properties[name] = value
            case N.UnsetProperty(name=name):
                self.properties.pop(name, None)
            case N.AssertValues() as asserted:
                self._values(asserted)
            case N.AssertSource() as asserted:
                self._source(asserted)
            case _:
                self.client.execute(step.text, properties=self.properties)

    def _reader(self, name: str) -> Reader:
        source = self.engine.context.catalog.get(name)
        if source is None:
            raise SqlError(
                f"There is no stream or table {name}", hint="Neither the project nor the test makes it."
            )
        return self.readers.setdefault(name, Reader(self.engine, source))

    def _values(self, node: N.AssertValues) -> None:
        reader = self._reader(node.target)
        types = reader.types()
        plain = [c.name for c in (reader.source.schema.key if node.null else reader.source.schema.columns)]
        columns = node.columns or tuple(name for name in plain if name in types)
        if unknown := [name for name in columns if name not in types]:
            raise SqlError(f"{node.target} has no column {unknown[0]}", hint=f"It has {', '.join(types)}.")
        if len(columns) != len(node.values):
            raise SqlError(f"{len(node.values)} values for the columns {', '.join(columns)}")
        wanted = {
            name: evaluate(value, name, types[name], self.engine.functions, "assert value")
            for name, value in zip(columns, node.values, strict=True)
        }

        def fits(values: Mapping[str, Any], tombstone: bool) -> bool:
            return tombstone == node.null and all(_equal(wanted[n], values.get(n)) for n in wanted)

        found = reader.take(fits)
        if found is None:
            raise Unequal(f"{node.target} has {reader.taken} records, and one more is asserted")
        values, tombstone = found
        if fits(values, tombstone):
            return
        if tombstone != node.null:
            kind, other = ("a tombstone", "a row") if tombstone else ("a row", "a tombstone")
            raise Unequal(
                f"record {reader.taken} of {node.target} is {kind}, not {other}: {_row(values, types)}"
            )
        raise Unequal(
            f"record {reader.taken} of {node.target} is not the one asserted",
            (
                Difference(n, _text(wanted[n], types[n]), _text(values.get(n), types[n]))
                for n in wanted
                if not _equal(wanted[n], values.get(n))
            ),
        )

    def _source(self, node: N.AssertSource) -> None:
        source = self._reader(node.name).source
        if source.kind != node.kind:
            raise Unequal(f"{node.name} is a {source.kind}, not a {node.kind}")
        have = {
            c.name: f"{c.type} {'KEY' if c in source.schema.key else ''}".strip()
            for c in source.schema.columns
        }
        want = {
            c.name: f"{c.type} {'KEY' if c.constraint in ('KEY', 'PRIMARY KEY') else ''}".strip()
            for c in node.columns
        }
        if want and list(want.items()) != list(have.items()):
            differ = [n for n in (*want, *(h for h in have if h not in want)) if want.get(n) != have.get(n)]
            told = [Difference(n, want.get(n, "none"), have.get(n, "none")) for n in differ]
            raise Unequal(
                f"{node.name} has other columns" if told else f"{node.name} has its columns in another order",
                told,
            )
        facts = {
            "KAFKA_TOPIC": source.topic,
            "KEY_FORMAT": source.key_format.name,
            "VALUE_FORMAT": source.value_format.name,
            "PARTITIONS": source.partitions,
            "TIMESTAMP": source.timestamp_column,
        }
        for name, value in node.properties:
            expected = getattr(value, "value", None)
            if name not in facts:
                raise SqlError(f"ASSERT does not look at {name}", hint=f"It looks at {', '.join(facts)}.")
            if str(facts[name]).upper() != str(expected).upper():
                raise Unequal(
                    f"{node.name} differs in {name}", [Difference(name, str(expected), str(facts[name]))]
                )


def _equal(expected: Any, actual: Any) -> bool:
    """Equal values; floating point numbers up to what is lost in adding them in another order."""
    if isinstance(expected, float) and isinstance(actual, float):
        return math.isclose(expected, actual, rel_tol=1e-9) or (math.isnan(expected) and math.isnan(actual))
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(_equal, expected, actual))
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        return expected.keys() == actual.keys() and all(_equal(v, actual[k]) for k, v in expected.items())
    return bool(expected == actual)


def _text(value: Any, kind: SqlType) -> str:
    """A value as JSON text, as SELECT gives it."""
    row = make_row_encoder([kind])([value])
    return orjson.dumps(orjson.loads(row)[0]).decode() if not isinstance(value, float) else str(value)


def _row(values: Mapping[str, Any], types: Mapping[str, SqlType]) -> str:
    return ", ".join(f"{n}={_text(v, types[n])}" for n, v in values.items() if n in types and v is not None)


def _called(text: str) -> list[str]:
    tokens = tokenize(text).tokens
    return [a.text.upper() for a, b in pairwise(tokens) if a.kind is IDENTIFIER and b.kind == "("]


def _place(error: KsqlkitError, step: Location | None) -> Location | None:
    """Where an error of a model's template is; else where the test's statement is."""
    return error.location if error.location and error.location.file else step
