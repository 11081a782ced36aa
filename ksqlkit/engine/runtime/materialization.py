"""The rows of a table as they are now, for pull queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, Protocol

from ksqlkit.engine.catalog import Format
from ksqlkit.engine.operators.registry import Registry
from ksqlkit.engine.plan.steps import Aggregate, ForeignKeyJoin, SelectKey, SourceStep, Step, TableTableJoin
from ksqlkit.engine.runtime.task import Environment
from ksqlkit.engine.serde import make_serializer
from ksqlkit.engine.serde.registry import SchemaRegistry
from ksqlkit.engine.state.keys import hash_key, key_columns
from ksqlkit.engine.state.session_store import SessionStore
from ksqlkit.engine.state.spilling import segment_interval
from ksqlkit.engine.state.table_store import TableStore
from ksqlkit.engine.state.window_store import WindowStore

# Key columns, value columns, timestamp, window (start, end) or None: as in the plan's schema.
StoredRow = tuple[tuple[Any, ...], tuple[Any, ...], int, tuple[int, int] | None]
Range = tuple[int, int]


class Materialization(Protocol):
    """Look-ups in a materialized table. Rows come partition by partition, in the byte order of serialized keys."""

    def get(self, key: tuple[Any, ...]) -> StoredRow | None:
        """The row of a key of an unwindowed table."""

    def scan(self) -> Iterable[StoredRow]:
        """All rows of an unwindowed table."""

    def range(self, low: tuple[Any, ...] | None, high: tuple[Any, ...] | None) -> Iterable[StoredRow]:
        """Rows whose serialized keys lie between those of `low` and `high`, both included; None is open."""

    def get_windows(self, key: tuple[Any, ...], starts: Range, ends: Range) -> Iterable[StoredRow]:
        """A key's windows that start and end in inclusive ranges of milliseconds, by start."""

    def scan_windows(self, starts: Range | None = None, ends: Range | None = None) -> Iterable[StoredRow]:
        """All windows of all keys, optionally within ranges."""


class TaskViews:
    """A materialization over a query's tasks."""

    def __init__(
        self,
        step: Step,
        view: str,
        tasks: Sequence[SimpleNamespace],
        environments: Sequence[Environment],
        schemas: SchemaRegistry | None = None,
    ) -> None:
        self._step = step
        self._types = [c.type for c in step.schema.key]
        self._views = [getattr(task, view) for task in tasks]
        self._environments = environments
        self._windowed = Registry().windowed(step)
        write = make_serializer(
            _key_format(step), step.schema.key, is_key=True, topic="look-ups", registry=schemas
        )
        self._bytes: Callable[[Sequence[Any]], bytes] = lambda columns: write(tuple(columns)) or b""

    def _row(self, task: int, key: Any) -> StoredRow | None:
        found = self._views[task](key)
        if found is None:
            return None
        values, timestamp = found
        if not self._windowed:
            return key_columns(key, self._types), tuple(values), timestamp, None
        parts = key[0] if len(self._types) == 1 else key[:-2]
        return key_columns(parts, self._types), tuple(values), timestamp, (key[-2], key[-1])

    def _tasks(self) -> Iterator[list[StoredRow]]:
        for task, environment in enumerate(self._environments):
            rows = (self._row(task, key) for key in _keys(self._step, environment))
            yield [row for row in rows if row is not None]

    def get(self, key: tuple[Any, ...]) -> StoredRow | None:
        """The row of a key of an unwindowed table."""
        hashed = hash_key(key, self._types)
        return next((r for t in range(len(self._views)) if (r := self._row(t, hashed)) is not None), None)

    def scan(self) -> list[StoredRow]:
        """All rows of an unwindowed table."""
        return [r for rows in self._tasks() for r in sorted(rows, key=lambda row: self._bytes(row[0]))]

    def range(self, low: tuple[Any, ...] | None, high: tuple[Any, ...] | None) -> list[StoredRow]:
        """Rows between two keys, both included."""
        first = None if low is None else self._bytes(low)
        last = None if high is None else self._bytes(high)
        return [
            row
            for row in self.scan()
            if (first is None or self._bytes(row[0]) >= first)
            and (last is None or self._bytes(row[0]) <= last)
        ]

    def get_windows(self, key: tuple[Any, ...], starts: Range, ends: Range) -> list[StoredRow]:
        """A key's windows in ranges of start and end."""
        parts = hash_key(key, self._types)
        parts = (parts,) if len(self._types) == 1 else parts
        found = []
        for task, environment in enumerate(self._environments):
            for start, end in _windows_of(self._step, environment, parts, starts, ends):
                if _within(start, starts) and _within(end, ends):
                    row = self._row(task, (*parts, start, end))
                    if row is not None:
                        found.append(row)
        return sorted(found, key=lambda row: row[3] or (0, 0))

    def scan_windows(self, starts: Range | None = None, ends: Range | None = None) -> list[StoredRow]:
        """All windows of all keys, by segment of the store, key and window, as Kafka Streams' stores give them."""
        base = _base(self._step)
        interval, session, timed = 0, False, False
        if isinstance(base, Aggregate):
            for environment in self._environments:
                store = environment.stores[environment.label(base.name)]
                session, timed = isinstance(store, SessionStore), base.final
                if isinstance(store, SessionStore | WindowStore):
                    interval = segment_interval(store.retention)

        def order(row: StoredRow) -> tuple[Any, ...]:
            start, end = row[3] or (0, 0)
            moment = end if session else start
            if timed:
                return (moment, start, self._bytes(row[0]))
            return (moment // interval if interval else 0, self._bytes(row[0]), moment, start)

        return [
            row
            for rows in self._tasks()
            for row in sorted((r for r in rows if r[3] is not None), key=order)
            if _within((row[3] or (0, 0))[0], starts) and _within((row[3] or (0, 0))[1], ends)
        ]


def _within(value: int, bounds: Range | None) -> bool:
    return bounds is None or bounds[0] <= value <= bounds[1]


def _base(step: Step) -> Step:
    """The step that holds the rows, below filters and projections."""
    while not isinstance(step, SourceStep | Aggregate | SelectKey | TableTableJoin | ForeignKeyJoin):
        step = step.inputs[0]
    return step


def _key_format(step: Step) -> Format:
    base = _base(step)
    if isinstance(base, SourceStep):
        return base.source.key_format
    if isinstance(base, Aggregate | SelectKey):
        return base.key_format
    return _key_format(base.inputs[0])


def _keys(step: Step, environment: Environment) -> Iterable[Any]:
    """Hashable keys that may have a row."""
    base = _base(step)
    if isinstance(base, TableTableJoin):
        return list(dict.fromkeys([*_keys(base.left, environment), *_keys(base.right, environment)]))
    suffix = "-result" if isinstance(base, ForeignKeyJoin) else ""
    store = environment.stores[environment.label(base.name + suffix)]
    if isinstance(store, TableStore):
        return store.places()
    single = len(base.schema.key) == 1
    if isinstance(store, WindowStore):
        size = _size(base)
        places = store.places(0, store.time)
        return ((*((k,) if single else k), start, start + size) for start, k in places)
    assert isinstance(store, SessionStore)
    return ((*((k,) if single else k), start, end) for k, start, end in store.places())


def _size(step: Step) -> int:
    window = getattr(step, "window", None)
    return int(window.size.millis) if window is not None else 0


def _windows_of(
    step: Step, environment: Environment, parts: tuple[Any, ...], starts: Range, ends: Range
) -> Iterable[tuple[int, int]]:
    """(start, end) of a key's windows, at least of those that start and end in the ranges."""
    base = _base(step)
    if isinstance(base, Aggregate):
        store = environment.stores[environment.label(base.name)]
        key = parts[0] if len(parts) == 1 else parts
        if isinstance(store, WindowStore):
            size = _size(base)
            low, high = max(0, starts[0], ends[0] - size), min(starts[1], ends[1] - size, store.time)
            return ((s, s + size) for s in store.starts_of(key, low, high))
        if isinstance(store, SessionStore):
            return store.sessions_of(key)
    return [(k[-2], k[-1]) for k in _keys(step, environment) if k[:-2] == parts]
