"""Runs a REST case through the engine: the statements of a request, then what each of them answered."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any, Protocol, Self

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse_schema
from ksqlkit.engine.catalog import Format
from ksqlkit.engine.push import PushQuery
from ksqlkit.engine.rest.messages import PROTOBUF
from ksqlkit.engine.rest.rows import make_framing
from ksqlkit.engine.results import PullResult
from ksqlkit.engine.scalable import ENABLED
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import make_deserializer
from ksqlkit.engine.wire import make_row_encoder
from ksqlkit.errors import KsqlkitError
from tests.conformance import codec as C
from tests.conformance import proto_text
from tests.conformance.cases import Case, loads
from tests.conformance.query import EARLIEST, Mismatch, Outcome, Runner, _parsed, told


class Rows(Protocol):
    """What a query answered."""

    query_id: str
    schema: str  # as the header has it
    push: bool  # whether its rows have an order

    def drain(self) -> tuple[list[dict[str, Any]], str | None]:
        """All rows as JSON has them, and the final message."""

    def messages(self) -> list[Any]:
        """The same answer with rows as PROTOBUF messages: header, rows and final message."""


Answer = str | Rows  # the @type of an entity, or a query's rows


class EngineRows:
    """The engine's own answer, written by the HTTP layer's code."""

    def __init__(self, answer: PullResult | PushQuery) -> None:
        self._answer = answer
        self.query_id = answer.query_id
        self.schema = answer.schema
        self.push = isinstance(answer, PushQuery)

    def drain(self) -> tuple[list[dict[str, Any]], str | None]:
        rows, final = self._drained
        encode = make_row_encoder([c.type for c in self._answer.columns])
        return [{"columns": loads(encode(row))} for row in rows], final

    def messages(self) -> list[Any]:
        rows, final = self._drained
        framing = make_framing(PROTOBUF, "q", self._answer.columns, open_ended=False)
        found: list[Any] = json.loads(framing.header() + framing.rows(rows) + framing.end(final))
        return found

    @cached_property
    def _drained(self) -> tuple[list[Any], str | None]:
        if isinstance(self._answer, PullResult):
            return list(self._answer.rows), None
        rows = list(self._answer)
        self._answer.close()
        return rows, self._answer.final_message


def run_case(case: Case) -> Outcome:
    """Run one case on an engine of its own."""
    return run_with(RestRunner, case)


def run_with(runner: Callable[[Mapping[str, Any]], RestRunner], case: Case) -> Outcome:
    """Run one case with a runner of its own."""
    expected = case.spec.get("expectedError")

    def run() -> Outcome:
        with runner(case.spec) as made:
            if expected is None:
                made.run()
                return Outcome(True)
            return made.run_refused(expected)

    return told(run)


class RestRunner(Runner):
    """Statements up to the first SELECT are set up before the inputs; queries are asked after them."""

    default_partitions = (
        4  # of the server that ksqlDB's REST cases run on; it shows in the order of table scans
    )

    def __init__(self, spec: Mapping[str, Any]) -> None:
        super().__init__({**spec, "properties": {ENABLED: True}})  # as on the server of these cases
        self.request = {**EARLIEST, **(spec.get("properties") or {})}

    def __enter__(self) -> Self:
        return self

    def execute_one(self, statement: str) -> list[str]:
        """Run a statement; the kinds of its entities."""
        return [r.entity for r in self.engine.execute(statement, properties=self.request)]

    def ask(self, statement: str) -> Rows:
        """Begin a query."""
        found = self.engine.query(statement, properties=self.request)
        assert isinstance(found, PullResult | PushQuery)
        return EngineRows(found)

    def run(self) -> None:
        answers = self.answers()
        self.collect()
        self.check_responses(answers)
        if "outputs" in self.spec:
            self.compare(self.spec["outputs"])

    def run_refused(self, expected: Mapping[str, Any]) -> Outcome:
        """Some statement must be refused with that message and status."""
        try:
            for answer in self.answers():
                if not isinstance(answer, str):
                    answer.drain()
        except KsqlkitError as error:
            return self.judge(error, expected)
        return Outcome(False, f"not refused; expected: {expected.get('message')}", False)

    def judge(self, error: KsqlkitError, expected: Mapping[str, Any]) -> Outcome:
        """Whether the error has the expected message (compared as its matcher says) and status."""
        agrees = True
        for name, wanted in expected.items():
            field, _, how = name.partition("|")
            if field == "message" and isinstance(wanted, str):
                have = (
                    f"{error.message}\nStatement: {self.spec['statements'][-1]}"  # as the HTTP layer adds it
                )
                agrees = {
                    "starts_with": have.startswith(wanted),
                    "ends_with": have.endswith(wanted) or error.message.endswith(wanted),
                    "matches": re.search(wanted, have) is not None,
                }.get(how, wanted in have)
            if field == "status" and int(wanted) != error.status:
                return Outcome(False, f"status is {error.status}, expected {wanted}: {error.message}", agrees)
        return Outcome(agrees, "" if agrees else f"message: {error.message}", agrees)

    def answers(self) -> list[Answer]:
        """Run the statements; inputs go in before the first query, or right after it where it waits for them."""
        found: list[Answer] = []
        waits = (self.spec.get("inputConditions") or {}).get("waitForActivePushQuery", False)
        fed = False
        self.create_topics()
        for statement in self.spec["statements"]:
            node = _parsed(statement)
            if not isinstance(node, N.QueryStatement):
                found += self.execute_one(statement)
                continue
            if not fed and not waits:
                fed = self.feed_all()
            found.append(self.ask(statement))
            if not fed:
                fed = self.feed_all()
        if not fed:
            self.feed_all()
        return found

    def feed_all(self) -> bool:
        self.engine.run_until_idle()
        self.collect()
        for record in self.spec.get("inputs", ()):
            self.feed(record)
            self.engine.run_until_idle()
            self.collect()
        return True

    def check_responses(self, answers: list[Answer]) -> None:
        """Each expected response in turn; INSERT and SET answer nothing."""
        rest = list(answers)
        previous: Answer | None = None
        again: list[Rows] = []  # the file has the queries' answers once more, as messages
        for number, wanted in enumerate(self.spec.get("responses", ()), 1):
            place = f"response {number}"
            if "admin" in wanted:
                if not rest:
                    continue  # a statement without an answer: the file repeats the one before
                answer = rest.pop(0)
                if not isinstance(answer, str):
                    raise Mismatch(f"{place}: rows, expected {wanted['admin']}")
                if answer != wanted["admin"].get("@type", answer):
                    raise Mismatch(f"{place}: {answer}, expected {wanted['admin']['@type']}")
            elif "query" in wanted:
                while rest and isinstance(rest[0], str):
                    rest.pop(0)
                previous = rest.pop(0) if rest else previous
                if previous is None or isinstance(previous, str):
                    raise Mismatch(f"{place}: no rows were answered")
                again.append(previous)
                self.check_rows(place, wanted["query"], previous)
            elif "queryProto" in wanted:
                self.check_messages(place, wanted["queryProto"], again.pop(0))

    def check_messages(self, place: str, expected: list[Any], answer: Rows) -> None:
        """Header and rows of an answer in PROTOBUF, written by the HTTP layer and read back; rows in any order."""
        head, *parts = answer.messages()
        columns = [Column(c.name, c.type) for c in parse_schema(answer.schema)]
        read = make_deserializer(Format("PROTOBUF_NOSR"), columns, is_key=False)
        messages = [read(base64.b64decode(p["row"]["protobufBytes"])) for p in parts if "row" in p]
        names = [(c.name, c.type) for c in columns]
        actual = {
            "protoSchema": head["header"]["protoSchema"],
            "rows": sorted(proto_text.written(names, m or ()) for m in messages),
            "final": [p["finalMessage"] for p in parts if "finalMessage" in p],
        }
        wanted = {
            "protoSchema": expected[0]["header"]["protoSchema"],
            "rows": sorted(p["row"] for p in expected if "row" in p),
            "final": [p["finalMessage"] for p in expected if "finalMessage" in p],
        }
        for name, want in wanted.items():
            if actual[name] != want:
                raise Mismatch(f"{place}: {name} is {actual[name]!r}, expected {want!r}")

    def check_rows(self, place: str, expected: list[Any], answer: Rows) -> None:
        """Header, rows and final message of a query. Rows of a table scan may come in any order."""
        actual, final = answer.drain()
        wanted = []
        for part in expected:
            if "header" in part:
                schema = part["header"].get("schema")
                if schema is not None and schema != answer.schema:
                    raise Mismatch(f"{place}: schema is {answer.schema}, expected {schema}")
                begin = part["header"].get("queryId|starts_with", "")
                if not answer.query_id.startswith(begin):
                    raise Mismatch(f"{place}: id is {answer.query_id}, expected {begin}...")
            elif "row" in part:
                wanted.append(part["row"])
            elif "finalMessage" in part and part["finalMessage"] != final:
                raise Mismatch(f"{place}: final message is {final}, expected {part['finalMessage']}")
        several = any(t.partitions > 1 for t in self.engine.topics().values())
        ordered = answer.push and not (several and not _same_rows(wanted, actual))
        if not ordered:
            actual, wanted = sorted(actual, key=_rank), sorted(wanted, key=_rank)
        for number, (want, have) in enumerate(zip(wanted, actual, strict=False), 1):
            if not C.same(want.get("columns"), have["columns"]):
                raise Mismatch(f"{place}: row {number} is {C.dumps(have)!r}, expected {C.dumps(want)!r}")
        if len(wanted) != len(actual):
            raise Mismatch(f"{place}: {len(actual)} rows, expected {len(wanted)}")


def _same_rows(wanted: list[Any], actual: list[Any]) -> bool:
    return all(C.same(w.get("columns"), a["columns"]) for w, a in zip(wanted, actual, strict=False))


def _rank(row: Mapping[str, Any]) -> str:
    return repr([_number(v) for v in row.get("columns") or ()])


def _number(value: Any) -> Any:
    return (
        Decimal(value).normalize()
        if isinstance(value, int | Decimal) and not isinstance(value, bool)
        else value
    )
