"""The engine in this process, by the same protocol and with the same answers as a server: no sockets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from ksqlkit.client.protocol import (
    INSERT_BATCH,
    Entity,
    Header,
    Options,
    Row,
    RowErrors,
    Rows,
    TopicRecord,
    read_row,
)
from ksqlkit.errors import DataError, KsqlkitError, ServerError, StatementError

if TYPE_CHECKING:
    from ksqlkit.engine.engine import Engine
    from ksqlkit.engine.push import PushQuery
    from ksqlkit.engine.results import PullResult
    from ksqlkit.scoring import ScoringClient


class EmbeddedClient:
    """Client of an engine.

    With `synchronous`, statements, inserts and records are worked off before their call returns, and a running
    query's rows end with those that are there. Otherwise the engine's own thread works.
    """

    def __init__(
        self, engine: Engine, *, synchronous: bool = True, scoring: ScoringClient | None = None
    ) -> None:
        self.engine = engine
        self._synchronous = synchronous
        self._scoring = scoring
        if not synchronous:
            engine.start()

    @classmethod
    def open(cls, path: str = ":memory:", scoring_url: str | None = None) -> EmbeddedClient:
        """An engine on a file, or one that forgets (`:memory:`) and is synchronous. Raises ServerError when
        another process has the file."""
        from ksqlkit.engine.engine import Engine
        from ksqlkit.engine.functions.registry import Registry
        from ksqlkit.engine.rest.open import connect_scoring, open_log

        functions = Registry()
        log = open_log(path)
        scoring = None
        if scoring_url:
            scoring = connect_scoring(scoring_url, None, functions, path)
        engine = Engine(log=log, functions=functions, properties={"ksql.schema.registry.url": "embedded"})
        return cls(engine, synchronous=path == ":memory:", scoring=scoring)

    def info(self) -> Entity:
        """Version and state, as a server's."""
        from ksqlkit.engine.rest.admin import server_info

        return dict(server_info(self.engine))

    def execute(self, sql: str, *, properties: Options = None, variables: Options = None) -> list[Entity]:
        """Run statements."""
        from ksqlkit.engine.rest.entities import entity
        from ksqlkit.engine.rest.statements import variables_of

        with _refusals(sql):
            results = self.engine.execute(sql, properties=properties, variables=variables_of(variables or {}))
        self._work()
        # through JSON, so that values are what a server's client reads
        found: list[Entity] = orjson.loads(orjson.dumps([entity(result) for result in results]))
        return found

    def query(self, sql: str, *, properties: Options = None, variables: Options = None) -> Rows:
        """Run a query that ends."""
        with self.stream(sql, properties=properties, variables=variables) as rows:
            return Rows(rows.header.columns, rows.header.types, list(rows))

    @contextmanager
    def stream(
        self, sql: str, *, properties: Options = None, variables: Options = None, exact: bool = False
    ) -> Iterator[EmbeddedRowStream]:
        """Run a query and read its rows as they come."""
        from ksqlkit.engine.print_topic import PrintedTopic
        from ksqlkit.engine.rest.statements import variables_of

        with _refusals(sql):
            found = self.engine.query(sql, properties=properties, variables=variables_of(variables or {}))
        if isinstance(found, PrintedTopic):
            raise StatementError("PRINT has lines, not rows", statement=sql, hint="read it with lines()")
        rows = EmbeddedRowStream(self.engine, found, exact=exact)
        try:
            yield rows
        finally:
            rows.close()

    def lines(self, sql: str, *, properties: Options = None) -> Iterator[str]:
        """Run a PRINT statement."""
        from ksqlkit.engine.print_topic import PrintedTopic

        with _refusals(sql):
            found = self.engine.query(sql, properties=properties)
        if not isinstance(found, PrintedTopic):
            raise StatementError(
                "Only PRINT has lines", statement=sql, hint="read rows with query() or stream()"
            )
        yield from found.records()

    def insert(self, target: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Insert rows; those before one that is refused are in."""
        from ksqlkit.engine.rest.inserts import Inserts

        done = 0
        with _refusals(""):
            inserts = Inserts(self.engine, target)
        for batch in _batches(rows):
            accepted, problem = inserts.take([orjson.dumps(row) for row in batch])
            done += accepted
            self._work()
            if problem is not None:
                raise DataError(
                    f"Row {done + 1} for {target} was refused: {problem}",
                    hint=f"The {done} rows before it are in.",
                )
        return done

    def produce(self, topic: str, records: Sequence[TopicRecord]) -> int:
        """Append records to a topic, all or none."""
        if topic not in self.engine.topics():
            raise StatementError(f"Topic '{topic}' not found", error_code=40401, status=404)
        placed = self.engine.append(topic, [(r.key, r.value, r.timestamp, r.partition) for r in records])
        self._work()
        return len(placed)

    def close(self) -> None:
        """Close the engine."""
        if self._scoring is not None:
            self._scoring.close()
        self.engine.close()

    def _work(self) -> None:
        if self._synchronous:
            self.engine.run_until_idle()


class EmbeddedRowStream:
    """Rows of a running query."""

    def __init__(self, engine: Engine, found: PullResult | PushQuery, *, exact: bool = False) -> None:
        from ksqlkit.engine.wire import make_row_encoder

        self._engine = engine
        self._found = found
        self._encode = make_row_encoder([c.type for c in found.columns])
        names = [c.name for c in found.columns]
        self.header = Header(found.query_id, names, [str(c.type) for c in found.columns])
        self._exact = exact and any("DECIMAL" in kind for kind in self.header.types)

    def __iter__(self) -> Iterator[Row]:
        from ksqlkit.engine.results import PullResult

        rows = self._found.rows if isinstance(self._found, PullResult) else self._found
        with _refusals(""):
            for row in rows:
                yield read_row(self._encode(row), exact=self._exact)

    @property
    def row_errors(self) -> RowErrors:
        """Errors of rows so far."""
        found = self._found.row_errors
        return RowErrors(found.count, tuple(found.reasons))

    def __enter__(self) -> EmbeddedRowStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the query."""
        from ksqlkit.engine.results import PullResult

        if not isinstance(self._found, PullResult):
            self._engine.close_query(self._found.query_id)
            self._found.close()


@contextmanager
def _refusals(sql: str) -> Iterator[None]:
    """What the engine refuses, as a server's client sees it: a StatementError."""
    from ksqlkit.engine.rest.errors import message_of

    try:
        yield
    except (StatementError, ServerError):
        raise
    except KsqlkitError as error:
        raise StatementError(
            message_of(error),
            statement=sql or None,
            error_code=error.error_code,
            status=error.status,
            location=error.location,
            hint=error.hint,
        ) from error


def _batches(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    batch: list[Mapping[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == INSERT_BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
