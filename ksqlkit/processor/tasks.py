"""One input partition: the query's generated functions, and what a batch of records becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, Literal

from ksqlkit.engine.log.memory import MemoryLog
from ksqlkit.engine.log.protocol import Headers, Output, Record
from ksqlkit.engine.runtime.errors import ProcessingError
from ksqlkit.engine.runtime.task import Environment
from ksqlkit.errors import ServerError
from ksqlkit.processor.planning import Planned
from ksqlkit.processor.state import SeriesState

_PARTS: Final = itemgetter(3), itemgetter(4)  # key and value of an Output
_HEADERS: Final = itemgetter(5)


def size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Bytes of a record, near enough."""
    parts = sum(len(name) + len(text or b"") + 10 for name, text in headers)
    return len(key or b"") + len(value or b"") + parts


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record is a dead letter. `code` is INVALID_INPUT, TIMEOUT, UNAVAILABLE, DEFAULTED or the engine's own."""

    offset: int
    function: str
    code: str
    message: str


@dataclass(slots=True)
class Batch:
    """What records of one partition became."""

    outputs: list[Output] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


class _Unwritable(Exception):
    """A row of the batch cannot be written."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Surroundings(Environment):
    """Reports become failures of their records; a registry that is away is nobody's fault."""

    def __init__(self, task: Task, outputs: list[Output], partition: int) -> None:
        # The query keeps no stores, so that where they would lie does not matter.
        super().__init__(task.planned.name, partition, MemoryLog(), outputs, [], task.report, 1)

    def bad_record(
        self,
        topic: str,
        partition: int,
        offset: int,
        target: Literal["key", "value"],
        data: bytes | None,
        error: Exception,
    ) -> None:
        """A key or value that cannot be read."""
        if isinstance(error, ServerError):
            raise error
        super().bad_record(topic, partition, offset, target, data, error)

    def bad_output(self, topic: str, _: tuple[Any, ...] | None, error: Exception) -> None:
        """A row that cannot be written: found by halving the batch, which stops here."""
        if isinstance(error, ServerError):
            raise error
        raise _Unwritable(
            "SERIALIZATION_ERROR", f"Error serializing message to topic: {topic}. {error}"
        ) from error


class Task:
    """Runs records of a partition, in order. `state` is what functions with memory know of its series; a result of more
    than `largest` bytes is not written."""

    def __init__(
        self, planned: Planned, partition: int, state: SeriesState, *, largest: int = 1_000_000
    ) -> None:
        self.planned = planned
        self._largest = largest
        self.partition = partition
        self.state = state
        self._outputs: list[Output] = []
        self._failures: dict[tuple[int, str], Failure] = {}
        environment = _Surroundings(self, self._outputs, partition)
        self._bound = planned.compiled.bind(environment, partition, [])
        self._take = getattr(self._bound, planned.handler)

    def note(self, offset: int, function: str, code: str, message: str) -> None:
        """A function failed for a record."""
        self._failures[offset, function] = Failure(offset, function, code, message)

    def report(self, error: ProcessingError) -> None:
        """The engine failed for a record. What a function told itself is known better."""
        if error.offset is not None and not any(offset == error.offset for offset, _ in self._failures):
            cause = error.cause if isinstance(error.cause, str) else "; ".join(error.cause)
            message = error.message if cause in error.message else f"{error.message}: {cause}"
            self._failures[error.offset, ""] = Failure(error.offset, "", error.kind, message)

    def run(self, records: Sequence[Record]) -> Batch:
        """Results and failures of the records. Raises ServerError for what is no record's fault; then nothing of
        them is kept."""
        before = dict(self.state.draft)
        try:
            return self._run(records)
        except _Unwritable as error:
            self._forget()
            self.state.draft.clear()
            self.state.draft.update(before)
            if len(records) == 1:
                return Batch([], [Failure(records[0].offset, "", error.code, str(error))])
            middle = len(records) // 2
            first, second = self.run(records[:middle]), self.run(records[middle:])
            return Batch(first.outputs + second.outputs, first.failures + second.failures)
        except BaseException:
            self._forget()
            raise

    def reset(self) -> None:
        """The transaction is not to be: as after the one before."""
        self.state.abort()
        self._forget()

    def _run(self, records: Sequence[Record]) -> Batch:
        whole = self.planned.whole
        if whole is None:
            self._one_by_one(records)
        else:
            self._outputs += whole.run(records, self.partition, self._apart)
        self._measure()
        done = Batch(self._outputs[:], sorted(self._failures.values(), key=lambda f: f.offset))
        self._outputs.clear()
        self._failures.clear()
        return done

    def _one_by_one(self, records: Sequence[Record]) -> None:
        self._take(records)
        for call, ask, tell in self._bound.flush:
            rows = ask()
            tell(call.call(rows) if rows else [])

    def _apart(self, records: Sequence[Record]) -> list[Output]:
        self._one_by_one(records)
        found = self._outputs[:]
        self._outputs.clear()
        return found

    def _measure(self) -> None:
        """Raise _Unwritable where a result is larger than Kafka takes."""
        keys, values = (max(map(len, filter(None, map(part, self._outputs))), default=0) for part in _PARTS)
        headers = any(map(_HEADERS, self._outputs))
        if keys + values <= self._largest and not headers:
            return
        for output in self._outputs:
            found = size(output.key, output.value, output.headers)
            if found > self._largest:
                raise _Unwritable("TOO_LARGE", f"A result of {found} bytes; Kafka takes {self._largest}")

    def _forget(self) -> None:
        """Leave nothing of a batch that ended half-way: rows that wait for answers are in the bound functions."""
        self._outputs.clear()
        self._failures.clear()
        environment = _Surroundings(self, self._outputs, self.partition)
        self._bound = self.planned.compiled.bind(environment, self.partition, [])
        self._take = getattr(self._bound, self.planned.handler)
