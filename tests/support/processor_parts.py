"""A processor without Kafka: a scoring server of a dictionary, a keeper that counts pauses, a planned query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from ksqlkit.engine.log.protocol import Record, TopicInfo
from ksqlkit.processor.columns import ARROW
from ksqlkit.processor.planning import Planned, plan
from ksqlkit.processor.scoring import Caller
from ksqlkit.processor.spec import Spec, read_file
from ksqlkit.processor.state import SeriesState
from ksqlkit.processor.tasks import Task
from ksqlkit.scoring.entry import Entry
from ksqlkit.scoring.transport import NoReply, Reply


def entry(name: str, *, args: Sequence[str] = ("DOUBLE",), returns: str = "DOUBLE", **more: Any) -> Entry:
    """A function of the manifest."""
    given = {
        "name": name,
        "description": "",
        "overloads": (
            {"args": [{"name": f"a{i}", "type": t} for i, t in enumerate(args)], "returns": returns},
        ),
        "deterministic": True,
        "batch_limit": 1_000,
        "timeout": 1.0,
        "on_failure": "null",
        "default": None,
        "version": 1,
        "pinned": 1,
        "model": None,
        "detail_of": None,
    }
    return Entry(**{**given, **more})


@dataclass
class Keeper:
    """Notes pauses; `after` of them it raises what it is told to."""

    pauses: list[tuple[float, str]] = field(default_factory=list)
    after: int = 1_000
    error: BaseException | None = None

    def pause(self, seconds: float, why: str) -> None:
        self.pauses.append((seconds, why))
        if self.error is not None and len(self.pauses) >= self.after:
            raise self.error


class Server:
    """A transport that answers rows with `function`; what it raises is the row's error. `replies` come first: a status,
    a body, or an exception each."""

    def __init__(self, function: Callable[..., Any], replies: Sequence[Any] = ()) -> None:
        self.function = function
        self.replies = list(replies)
        self.calls: list[tuple[str, int, Mapping[str, str]]] = []

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        arrow = headers.get("content-type") == ARROW
        rows = rows_of(body, arrow=arrow) if body else []
        self.calls.append((path, len(rows), headers))
        if self.replies:
            reply = self.replies.pop(0)
            if isinstance(reply, NoReply):
                raise reply
            if isinstance(reply, int):
                return Reply(reply, {}, b'{"message": "no"}')
            return Reply(200, {}, reply)
        data, errors = [], []
        for number, *args in rows:
            try:
                data.append([number, self.function(*args)])
            except ValueError as error:
                data.append([number, None])
                errors.append([number, "INVALID_INPUT", str(error)])
        if arrow:
            return Reply(200, {}, arrow_answer([v for _, v in data], errors))
        return Reply(200, {}, orjson.dumps({"data": data, "errors": errors, "model": None, "version": 1}))

    def close(self) -> None:
        pass


def rows_of(body: bytes, *, arrow: bool) -> list[list[Any]]:
    """A call's rows, each after its number."""
    if not arrow:
        return list(orjson.loads(body)["data"])
    import pyarrow as pa

    columns = [c.to_pylist() for c in pa.ipc.open_stream(body).read_all().columns]
    return [[i, *row] for i, row in enumerate(zip(*columns, strict=True))]


def arrow_answer(values: list[Any], errors: list[list[Any]]) -> bytes:
    """An answer as the scoring server encodes it."""
    import pyarrow as pa

    told = {row: (code, message) for row, code, message in errors}
    batch = pa.record_batch(
        {
            "value": pa.array(values),
            "error_code": pa.array([told.get(i, (None, None))[0] for i in range(len(values))], pa.string()),
            "error": pa.array([told.get(i, (None, None))[1] for i in range(len(values))], pa.string()),
        }
    ).replace_schema_metadata({"model": "", "version": "1"})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


class Running:
    """A planned query over a server, and its task of partition 0."""

    def __init__(self, spec: Spec, server: Server, entries: Sequence[Entry], partitions: int = 1) -> None:
        self.keeper = Keeper()
        known = {e.name: e for e in entries}
        topics = {"in": TopicInfo("in", partitions)}
        self.planned: Planned = plan(
            spec,
            known,
            lambda e: Caller(e, server, self.keeper, lambda *a: self.task.note(*a), wait=True),
            topics,
            None,
            lambda *_: None,
        )
        self.task = Task(self.planned, 0, SeriesState())

    def run(self, *values: Any) -> tuple[list[dict[str, Any]], list[tuple[int, str, str]]]:
        """Values of the results, and (offset, function, code) of the failures, for records of those JSON values."""
        records = [
            Record(i, i, b"k", v if isinstance(v, bytes) else orjson.dumps(v)) for i, v in enumerate(values)
        ]
        batch = self.task.run(records)
        failures = [(f.offset, f.function, f.code) for f in batch.failures]
        return [orjson.loads(o.value or b"null") for o in batch.outputs], failures


def query(folder: Path, select: str, columns: str = "X DOUBLE", sink: str = "") -> Spec:
    """The spec of a query over topic `in`."""
    path = folder / "q.sql"
    path.write_text(
        f"CREATE STREAM S (K STRING KEY, {columns}) WITH (KAFKA_TOPIC='in', VALUE_FORMAT='JSON');"
        f"CREATE STREAM T {sink} AS SELECT {select} FROM S;"
    )
    return read_file(path)
