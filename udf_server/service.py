"""The scoring service without a network: resolve, check, batch, answer row by row."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from udf_server.batch import Batch, Columns
from udf_server.batching.isolate import run_isolated
from udf_server.batching.lane import INLINE_SECONDS, Job, Lane
from udf_server.binding import as_declared, bind
from udf_server.catalog import Catalog
from udf_server.context import Context
from udf_server.drift.alerts import Send
from udf_server.drift.monitor import DriftSettings
from udf_server.drift.watch import DriftWatch
from udf_server.errors import ModelError, Overloaded, ServiceError
from udf_server.function import Body, Function, RowError
from udf_server.manifest import DETAIL, Manifest, build
from udf_server.memory.protocol import Memory
from udf_server.memory.sqlite import SqliteMemory
from udf_server.metrics import Metrics
from udf_server.models.live import LiveModels
from udf_server.models.store import ModelStore
from udf_server.shadow import compare
from udf_server.sqltype import Signature, SqlType, detail_type, parse_type

logger = logging.getLogger("udf_server")

MODEL_INLINE: Final = 0.005
SHADOW_ROWS: Final = 20_000  # more waiting than that are not compared
QUEUE_ROWS: Final = 40_000  # per lane; four of the largest calls
_ATTRIBUTIONS: Final = parse_type("MAP<VARCHAR, DOUBLE>")
_FIELDS: Final = ("VALUE", "STATUS", "MODEL", "VERSION", "SCORED_AT", "REASON", "ATTRIBUTIONS")


Then = Callable[[Columns, list[Any]], None]


@dataclass(slots=True)
class Answer:
    """Values in the order of the rows (None where there is an error), errors as (row, code, message)."""

    values: list[Any]
    errors: list[tuple[int, str, str]] = field(default_factory=list)
    model: str | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Target:
    """What a call is for: the function, the model version it is pinned to, and whether it is the `_DETAIL` form."""

    function: Function
    version: int | None
    detail: bool

    @property
    def returns(self) -> SqlType | None:
        """The type of the answers, where all overloads have the same."""
        kinds = {overload.signature.returns for overload in self.function.overloads}
        if len(kinds) > 1:
            return None
        return detail_type(*kinds) if self.detail else next(iter(kinds))


class _Call:
    """A call under way: counts the parts that lanes still owe, then puts the answer together."""

    __slots__ = (
        "_done",
        "_jobs",
        "_owed",
        "_service",
        "_target",
        "_version",
        "attributions",
        "models",
        "results",
    )

    def __init__(
        self, service: Service, target: Target, version: int | None, rows: int, done: Callable[[Answer], None]
    ) -> None:
        self._service, self._target, self._version, self._done = service, target, version, done
        self._owed = 1  # until `submit` has handed out every part
        self._jobs: list[Job] = []
        self.results: list[Any] = [None] * rows
        self.attributions: list[Any] = [None] * rows if target.detail else []
        self.models: dict[int, tuple[str, int]] = {}  # by row, of rows that name theirs

    def put(
        self,
        lane: Lane,
        columns: Columns,
        indexes: Sequence[int],
        deadline: float,
        into: list[Any] | None = None,
        then: Then | None = None,
    ) -> None:
        """Have a lane answer the rows of those numbers; `then` is handed the columns and the values."""
        wanted = self.results if into is None else into

        def fill(values: list[Any]) -> None:
            if then is not None:
                then(columns, values)
            if len(values) == len(wanted):
                wanted[:] = values
            else:
                for index, value in zip(indexes, values, strict=True):
                    wanted[index] = value
            self.arrived()

        self._jobs.append(lane.put(columns, len(indexes), deadline, fill))
        self._owed += 1

    def abandon(self) -> None:
        """The caller is refused: leave what was handed out unscored."""
        for job in self._jobs:
            job.answered = True

    def arrived(self) -> None:
        """One part less is owed; the last one makes the answer."""
        self._owed -= 1
        if self._owed:
            return
        found, version = self._target.function, self._version
        answer = Answer(self.results, [], found.model, version if found.model and version else found.version)
        if RowError in set(map(type, self.results)):
            for row, value in enumerate(self.results):
                if isinstance(value, RowError):
                    answer.errors.append((row, value.code, value.message))
                    self.results[row] = None
        self._service.count(found.name, answer)
        if found.model and version:
            self._service.metrics.versions.add(len(self.results), model=found.model, version=str(version))
        self._done(
            _detailed(found, answer, self.attributions, self.models, self._service.now())
            if self._target.detail
            else answer
        )


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
        metrics: Metrics | None = None,
        sends: Sequence[Send] = (),
        drift: DriftSettings | None = None,
    ) -> None:
        self.catalog = Catalog(functions)
        self.models = LiveModels(ModelStore(models))
        self.memory = memory or SqliteMemory(models / ".memory" / "states.db")
        self.metrics = metrics or Metrics()
        kept = SqliteMemory(models / ".memory" / "drift.db")
        self.drift = DriftWatch(self.models.store, self.metrics, sends, drift, now, kept)
        self.models.note = self.drift.note
        self._made_of = self._ingredients()
        self.manifest: Manifest = build(self.catalog, self.models)
        self.draining = False
        self.warming: list[str] = []
        self._queue_rows = queue_rows
        self.now = now
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="score")
        self._targets: dict[tuple[str, int | None], Target] = {}
        self._counts: dict[str, Callable[[float], None]] = {}
        self._lanes: dict[tuple[Body, str | None, int | None], Lane] = {}

    def resolve(self, name: str, version: int | None) -> Target:
        """What a call by that name and version means; unknown ones raise ServiceError (404).

        A version is the model's for functions that have one, else the function's.
        """
        known = self._targets.get((name, version))
        if known is None:
            known = self._targets[name, version] = self._resolve(name, version)
        return known

    def _resolve(self, name: str, version: int | None) -> Target:
        upper = name.upper()
        detail = False
        found = self.catalog.find(upper)
        if found is None and upper.endswith(DETAIL):
            upper, detail = upper.removesuffix(DETAIL), True
            found = self.catalog.find(upper)
        if found is None:
            raise ServiceError(404, "UNKNOWN_FUNCTION", f"there is no function {name}")
        if version is None:
            return Target(found, None, detail)
        if found.model is not None:
            if version not in self.models.store.versions(found.model):
                raise ServiceError(
                    404, "UNKNOWN_VERSION", f"model {found.model} of {upper} has no version {version}"
                )
            return Target(found, version, detail)
        pinned = self.catalog.find(upper, version)
        if pinned is None:
            raise ServiceError(404, "UNKNOWN_VERSION", f"{upper} has no version {version}")
        return Target(pinned, None, detail)

    async def call(self, name: str, version: int | None, batch: Batch, budget: float | None = None) -> Answer:
        """`submit` by name, awaited."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        target = self.resolve(name, version)
        self.submit(target, batch, budget, lambda a: None if future.done() else future.set_result(a))
        return await future

    def submit(
        self, target: Target, batch: Batch, budget: float | None, done: Callable[[Answer], None]
    ) -> None:
        """Hand `done` the answer to every row, in order. `budget` is the seconds left to the caller.

        Raises ServiceError for what concerns the whole call; a bad row is an error of that row.
        """
        if self.draining:
            raise ServiceError(503, "DRAINING", "the server is shutting down", retry_after=1.0)
        found = target.function
        seconds = found.timeout if budget is None else min(found.timeout, budget)
        deadline = asyncio.get_running_loop().time() + seconds
        model_version = target.version if target.version is not None else self._routed(found)
        call = _Call(self, target, model_version, batch.count, done)
        try:
            if batch.matrix is not None and found.matrix_body is not None:
                body, returns = found.matrix_body, found.overloads[0].signature.returns
                lane = self._lane(found, body, returns, model_version)
                then = self._shadowing(found, body, returns, model_version)
                call.put(lane, [*batch.words, batch.matrix], range(batch.count), deadline, then=then)
            else:
                for overload, indexes, columns in bind(found, batch, call.results):
                    lane = self._lane(found, overload.body, overload.signature.returns, model_version)
                    then = self._shadowing(found, overload.body, overload.signature.returns, model_version)
                    call.put(lane, columns, indexes, deadline, then=then)
                    if target.detail:
                        call.models |= self._named(found, overload.signature, indexes, columns)
                    if target.detail and found.attributions is not None:
                        lane = self._lane(found, found.attributions, _ATTRIBUTIONS, model_version)
                        call.put(lane, columns, indexes, deadline, call.attributions)
        except Overloaded as error:
            call.abandon()
            raise ServiceError(429, "OVERLOADED", str(error), retry_after=error.retry_after) from error
        call.arrived()

    def matrix_words(self, target: Target) -> int | None:
        """After how many texts rows of numbers may be handed over as a matrix; None when they may not."""
        found = target.function
        return None if found.matrix_body is None or target.detail else found.matrix_words

    def look(self) -> bool:
        """Judge what was scored, read changed function files and moved aliases; safe on any thread. Follow with
        `adopt`."""
        self.drift.tick()
        functions = self.catalog.refresh()
        return self.models.refresh() or functions

    def adopt(self) -> bool:
        """Publish what `look` found, on the event loop; returns whether the manifest changed."""
        self._targets.clear()
        made_of = self._ingredients()
        if made_of == self._made_of:  # making it takes a millisecond or two, in which no call is answered
            return False
        self._made_of = made_of
        fresh = build(self.catalog, self.models)
        if fresh.etag == self.manifest.etag:
            return False
        self.manifest = fresh
        self.metrics.reloads.add()
        bodies = {o.body for f in self.catalog.functions.values() for o in f.overloads}
        for found in self.catalog.functions.values():
            bodies |= {b for b in (found.attributions, found.matrix_body) if b}
        self._lanes = {k: lane for k, lane in self._lanes.items() if k[0] in bodies or not lane.idle}
        return True

    def _ingredients(self) -> tuple[Any, ...]:
        """What the manifest is made of."""
        functions = self.catalog.functions
        serving = {f.model: self.models.serving(f.model) for f in functions.values() if f.model}
        return functions, {**self.catalog.errors, **self.models.errors}, serving

    async def warm(self) -> None:
        """Load every model and resource, one after another, so that the first call finds them."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._pool, _import_arrow)
        pending = [f for f in self.catalog.functions.values() if f.warm or f.model or f.trained]
        self.warming = [f.name for f in pending]
        for found in pending:
            try:
                if found.warm:
                    await loop.run_in_executor(self._pool, found.warm)
                model = found.model or found.trained
                if model and self.models.serving(model):
                    await loop.run_in_executor(self._pool, self.models.get, model)
            except Exception as error:
                logger.warning("%s cannot be warmed: %s", found.name, error)
            self.warming.remove(found.name)

    async def drain(self, timeout: float = 10.0) -> bool:
        """Refuse new calls and finish those under way; returns whether all finished in time."""
        self.draining = True
        try:
            # Not wait_for, which may swallow a cancellation that comes as the last lane finishes.
            async with asyncio.timeout(timeout):
                await asyncio.gather(*(lane.drained() for lane in self._lanes.values()))
        except TimeoutError:
            return False
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self.memory.close()
        self.drift.close()
        return True

    def queued(self) -> int:
        """Rows that wait, over all lanes."""
        return sum(lane.queued for lane in self._lanes.values())

    def _named(
        self, found: Function, signature: Signature, indexes: Sequence[int], columns: Columns
    ) -> dict[int, tuple[str, int]]:
        """By row, the model and version that an argument of the name MODEL asks for, or that answers in place of the
        function's own rules."""
        at = next((i for i, (name, _) in enumerate(signature.arguments) if name.upper() == "MODEL"), None)
        if at is None and found.trained is None:
            return {}
        named = [found.trained] * len(indexes) if at is None else columns[at]
        known: dict[Any, tuple[str, int] | None] = dict.fromkeys(named)
        for asked in known:
            name, _, wanted = str(asked).partition("@")
            live = self.models.serving(name)
            if live is not None:
                version = int(wanted) if wanted.isdecimal() else live
                if version in self.models.store.versions(name):
                    known[asked] = name, version
        by_row = zip(indexes, map(known.__getitem__, named), strict=True)
        return {row: model for row, model in by_row if model is not None}

    def _routed(self, found: Function) -> int | None:
        return self.models.route(found.model) if found.model else None

    def _shadowing(self, found: Function, body: Body, returns: SqlType, version: int | None) -> Then | None:
        """What to do with the live version's answers beside sending them."""
        if found.model is None or self.models.shadow(found.model) is None:
            return None
        return (
            partial(self._compare, found, body, returns)
            if version == self.models.serving(found.model)
            else None
        )

    def _compare(
        self, found: Function, body: Body, returns: SqlType, columns: Columns, answered: list[Any]
    ) -> None:
        """Have the shadow of the function's model score rows that were answered, when it has the time."""
        version = self.models.shadow(found.model) if found.model else None
        if version is None or found.model is None or self.draining:
            return
        lane = self._lane(found, body, returns, version)
        if lane.queued < SHADOW_ROWS:
            values = list(answered)
            deadline = asyncio.get_running_loop().time() + found.timeout
            lane.put(
                columns, len(values), deadline, partial(compare, self.metrics, found.model, version, values)
            )

    def _lane(self, found: Function, body: Body, returns: SqlType, version: int | None) -> Lane:
        key = (body, found.model, version)
        lane = self._lanes.get(key)
        if lane is None:
            name = found.name
            sizes = self.metrics.batch.of(function=name)
            scored = self.metrics.score.of(function=name)
            queued = self.metrics.queue.of(function=name)

            def observe(rows: int, seconds: float, waited: float) -> None:
                sizes(rows)
                scored(seconds)
                queued(waited)

            def run(columns: Columns, rows: int) -> list[Any]:
                try:
                    bound = self._bound(found, version, body)
                except ModelError as error:
                    return [RowError(str(error), "UNAVAILABLE")] * rows
                return as_declared(run_isolated(bound, columns, rows), returns)

            lane = Lane(
                run,
                batch_limit=found.batch_limit,
                queue_limit=self._queue_rows,
                executor=self._pool,
                observe=observe,
                # A model of ours computes and does nothing else: it cannot hold up the loop for long.
                inline=MODEL_INLINE if found.model else INLINE_SECONDS,
            )
            self._lanes[key] = lane
        return lane

    def _bound(self, found: Function, version: int | None, body: Body) -> Body:
        if found.context:
            body = partial(body, Context(self.models, self.memory))
        if found.model is not None:
            body = partial(body, self.models.get(found.model, version))
        return body

    def count(self, name: str, answer: Answer) -> None:
        """Count a call's rows by how they came out."""
        for _, code, _ in answer.errors:
            self.metrics.rows.add(function=name, outcome=code)
        if len(answer.values) > len(answer.errors):
            good = self._counts.get(name)
            if good is None:
                good = self._counts[name] = self.metrics.rows.of(function=name, outcome="OK")
            good(len(answer.values) - len(answer.errors))


def _detailed(
    found: Function,
    answer: Answer,
    attributions: list[Any],
    models: dict[int, tuple[str, int]],
    seconds: float,
) -> Answer:
    now = int(seconds * 1000)
    reasons = {row: (code, message) for row, code, message in answer.errors}
    out: list[Any] = []
    for row, value in enumerate(answer.values):
        status, reason = reasons.get(row, ("OK", None))
        if status != "OK" and found.on_failure == "default":
            value, status = found.default, "DEFAULTED"
        why = attributions[row]
        shares = None if isinstance(why, RowError) else why
        model, version = models.get(row, (answer.model, answer.version))
        fields = (value, status, model, version, now, reason, shares)
        out.append(dict(zip(_FIELDS, fields, strict=True)))
    return Answer(out, [], answer.model, answer.version)


def _import_arrow() -> None:
    """What Arrow calls need, where it is installed: imported by the first of them it would hold up all others."""
    with contextlib.suppress(ImportError):
        importlib.import_module("pyarrow")
