"""The scoring service without a network: resolve, check, batch, answer row by row."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from udf_server.batch import Batch, Columns
from udf_server.batching.isolate import run_isolated
from udf_server.batching.lane import Lane
from udf_server.catalog import Catalog
from udf_server.coerce import convert_column
from udf_server.context import Context
from udf_server.errors import ModelError, Overloaded, ServiceError
from udf_server.function import Body, Function, Overload, RowError
from udf_server.manifest import DETAIL, Manifest, build
from udf_server.memory.protocol import Memory
from udf_server.memory.sqlite import SqliteMemory
from udf_server.metrics import Metrics
from udf_server.models.live import LiveModels
from udf_server.models.store import ModelStore
from udf_server.sqltype import SqlType, parse_type

logger = logging.getLogger("udf_server")

QUEUE_ROWS: Final = 40_000  # per lane; four of the largest calls
_ATTRIBUTIONS: Final = parse_type("MAP<VARCHAR, DOUBLE>")
_FIELDS: Final = ("VALUE", "STATUS", "MODEL", "VERSION", "SCORED_AT", "REASON", "ATTRIBUTIONS")


@dataclass(slots=True)
class Answer:
    """Values in the order of the rows (None where there is an error), errors as (row, code, message)."""

    values: list[Any]
    errors: list[tuple[int, str, str]] = field(default_factory=list)
    model: str | None = None
    version: int = 1


class Service:
    """All functions and their lanes. Made and used on one event loop; bodies run on a pool of threads."""

    def __init__(
        self,
        models: Path,
        functions: Path | None = None,
        *,
        threads: int = 4,
        queue_rows: int = QUEUE_ROWS,
        now: Callable[[], float] = time.time,
        memory: Memory | None = None,
    ) -> None:
        self.catalog = Catalog(functions)
        self.models = LiveModels(ModelStore(models))
        self.memory = memory or SqliteMemory(models / ".memory" / "states.db")
        self.metrics = Metrics()
        self.manifest: Manifest = build(self.catalog, self.models)
        self.draining = False
        self.warming: list[str] = []
        self._queue_rows = queue_rows
        self._now = now
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="score")
        self._lanes: dict[tuple[Body, str | None, int | None], Lane] = {}

    def resolve(self, name: str, version: int | None) -> tuple[Function, int | None, bool]:
        """The function, the model version a call is pinned to, and whether it is the `_DETAIL` form.

        A version is the model's for functions that have one, else the function's; unknown ones raise 404.
        """
        upper = name.upper()
        detail = False
        found = self.catalog.find(upper)
        if found is None and upper.endswith(DETAIL):
            upper, detail = upper.removesuffix(DETAIL), True
            found = self.catalog.find(upper)
        if found is None:
            raise ServiceError(404, "UNKNOWN_FUNCTION", f"there is no function {name}")
        if version is None:
            return found, None, detail
        if found.model is not None:
            if version not in self.models.store.versions(found.model):
                raise ServiceError(
                    404, "UNKNOWN_VERSION", f"model {found.model} of {upper} has no version {version}"
                )
            return found, version, detail
        pinned = self.catalog.find(upper, version)
        if pinned is None:
            raise ServiceError(404, "UNKNOWN_VERSION", f"{upper} has no version {version}")
        return pinned, None, detail

    async def call(self, name: str, version: int | None, batch: Batch, budget: float | None = None) -> Answer:
        """Answer every row, in order. `budget` is the seconds left to the caller.

        Raises ServiceError for what concerns the whole call; a bad row is an error of that row.
        """
        if self.draining:
            raise ServiceError(503, "DRAINING", "the server is shutting down", retry_after=1.0)
        found, pinned, detail = self.resolve(name, version)
        seconds = found.timeout if budget is None else min(found.timeout, budget)
        deadline = asyncio.get_running_loop().time() + seconds
        results: list[Any] = [None] * batch.count
        attributions: list[Any] = [None] * batch.count
        model_version = pinned if pinned is not None else self._serving(found)
        groups = list(_bind(found, batch, results))
        try:
            for overload, indexes, columns in groups:
                lane = self._lane(found, overload.body, overload.signature.returns, model_version)
                values = await lane.submit(columns, len(indexes), deadline)
                for index, value in zip(indexes, values, strict=True):
                    results[index] = value
                if detail and found.attributions is not None:
                    lane = self._lane(found, found.attributions, _ATTRIBUTIONS, model_version)
                    for index, value in zip(
                        indexes, await lane.submit(columns, len(indexes), deadline), strict=True
                    ):
                        attributions[index] = None if isinstance(value, RowError) else value
        except Overloaded as error:
            raise ServiceError(429, "OVERLOADED", str(error), retry_after=error.retry_after) from error
        version_shown = model_version if found.model and model_version else found.version
        answer = Answer(results, [], found.model, version_shown)
        for row, value in enumerate(results):
            if isinstance(value, RowError):
                answer.errors.append((row, value.code, value.message))
                results[row] = None
        self._count(found.name, answer)
        return self._detailed(found, answer, attributions) if detail else answer

    def look(self) -> bool:
        """Read changed function files and moved aliases; safe on any thread. Follow with `adopt`."""
        functions = self.catalog.refresh()
        return self.models.refresh() or functions

    def adopt(self) -> bool:
        """Publish what `look` found, on the event loop; returns whether the manifest changed."""
        fresh = build(self.catalog, self.models)
        if fresh.etag == self.manifest.etag:
            return False
        self.manifest = fresh
        self.metrics.reloads.add()
        bodies = {o.body for f in self.catalog.functions.values() for o in f.overloads}
        bodies |= {f.attributions for f in self.catalog.functions.values() if f.attributions}
        self._lanes = {k: lane for k, lane in self._lanes.items() if k[0] in bodies or not lane.idle}
        return True

    async def warm(self) -> None:
        """Load every model and resource, one after another, so that the first call finds them."""
        loop = asyncio.get_running_loop()
        pending = [f for f in self.catalog.functions.values() if f.warm or f.model]
        self.warming = [f.name for f in pending]
        for found in pending:
            try:
                if found.warm:
                    await loop.run_in_executor(self._pool, found.warm)
                if found.model and self.models.serving(found.model):
                    await loop.run_in_executor(self._pool, self.models.get, found.model)
            except Exception as error:
                logger.warning("%s cannot be warmed: %s", found.name, error)
            self.warming.remove(found.name)

    async def drain(self, timeout: float = 10.0) -> bool:
        """Refuse new calls and finish those under way; returns whether all finished in time."""
        self.draining = True
        waits = [lane.drained() for lane in self._lanes.values()]
        try:
            await asyncio.wait_for(asyncio.gather(*waits), timeout)
        except TimeoutError:
            return False
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self.memory.close()
        return True

    def queued(self) -> int:
        """Rows that wait, over all lanes."""
        return sum(lane.queued for lane in self._lanes.values())

    def _serving(self, found: Function) -> int | None:
        return self.models.serving(found.model) if found.model else None

    def _lane(self, found: Function, body: Body, returns: SqlType, version: int | None) -> Lane:
        key = (body, found.model, version)
        lane = self._lanes.get(key)
        if lane is None:
            name = found.name

            def observe(rows: int, seconds: float, waited: float) -> None:
                self.metrics.batch.observe(rows, function=name)
                self.metrics.score.observe(seconds, function=name)
                self.metrics.queue.observe(waited, function=name)

            def run(columns: Columns, rows: int) -> list[Any]:
                try:
                    bound = self._bound(found, version, body)
                except ModelError as error:
                    return [RowError(str(error), "UNAVAILABLE")] * rows
                return _as_declared(run_isolated(bound, columns, rows), returns)

            lane = Lane(
                run,
                batch_limit=found.batch_limit,
                queue_limit=self._queue_rows,
                executor=self._pool,
                observe=observe,
            )
            self._lanes[key] = lane
        return lane

    def _bound(self, found: Function, version: int | None, body: Body) -> Body:
        if found.context:
            body = partial(body, Context(self.models, self.memory))
        if found.model is not None:
            body = partial(body, self.models.get(found.model, version))
        return body

    def _detailed(self, found: Function, answer: Answer, attributions: list[Any]) -> Answer:
        now = int(self._now() * 1000)
        reasons = {row: (code, message) for row, code, message in answer.errors}
        out: list[Any] = []
        for row, value in enumerate(answer.values):
            status, reason = reasons.get(row, ("OK", None))
            if status != "OK" and found.on_failure == "default":
                value, status = found.default, "DEFAULTED"
            fields = (value, status, answer.model, answer.version, now, reason, attributions[row])
            out.append(dict(zip(_FIELDS, fields, strict=True)))
        return Answer(out, [], answer.model, answer.version)

    def _count(self, name: str, answer: Answer) -> None:
        for _, code, _ in answer.errors:
            self.metrics.rows.add(function=name, outcome=code)
        if len(answer.values) > len(answer.errors):
            self.metrics.rows.add(len(answer.values) - len(answer.errors), function=name, outcome="OK")


def _as_declared(values: list[Any], returns: SqlType) -> list[Any]:
    """The answers as values of the declared type; one that is not is the function's error, for its row only."""
    good = values
    if RowError in set(map(type, values)):
        good = [None if isinstance(v, RowError) else v for v in values]
    converted, wrong = convert_column(good, returns)
    if good is values and not wrong:
        return converted
    for row, value in enumerate(values):
        if isinstance(value, RowError):
            converted[row] = value
        elif row in wrong:
            converted[row] = RowError(f"the function's answer {wrong[row]}", "UNAVAILABLE")
    return converted


def _bind(
    found: Function, batch: Batch, results: list[Any]
) -> Iterable[tuple[Overload, Sequence[int], Columns]]:
    """Give each row to the first overload it fits, as columns of checked values; the others get their error."""
    for numbers, given in batch.groups:
        fitting = [(o, t) for o in found.overloads if (t := o.signature.types(len(given))) is not None]
        if not fitting:
            for number in numbers:
                results[number] = RowError(f"{found.name} takes no {len(given)} arguments")
        for overload, types in fitting:
            columns, wrong = _checked(given, types)
            for row, message in wrong.items():
                results[numbers[row]] = RowError(message)
            skip = set(wrong)
            if found.nulls == "null":
                skip |= {row for c in columns if None in c for row, v in enumerate(c) if v is None}
            for row in skip - wrong.keys():
                results[numbers[row]] = None
            good = numbers
            if skip:
                kept = [row for row in range(len(numbers)) if row not in skip]
                good = [numbers[row] for row in kept]
                columns = _rows_of(columns, kept)
            if good:
                yield overload, good, columns
            if not wrong:
                break
            # What did not fit this overload is tried on the next.
            given = _rows_of(given, wrong)
            numbers = [numbers[row] for row in wrong]


def _checked(given: Columns, types: Sequence[SqlType]) -> tuple[Columns, dict[int, str]]:
    """The columns as values of the types, and by row what does not fit."""
    columns: Columns = []
    wrong: dict[int, str] = {}
    for position, (column, target) in enumerate(zip(given, types, strict=True), 1):
        converted, bad = convert_column(column, target)
        columns.append(converted)
        for row, message in bad.items():
            wrong.setdefault(row, f"argument {position}: {message}")
    return columns, wrong


def _rows_of(columns: Columns, rows: Iterable[int]) -> Columns:
    chosen = list(rows)
    return [[c[row] for row in chosen] for c in columns]
