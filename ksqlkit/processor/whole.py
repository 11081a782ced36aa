"""A batch in a few passes over whole columns, for queries that pass columns through one function.

The engine's generated functions take a record at a time, and can do all of SQL. Here each step of `SELECT columns,
F(columns)` is one `map` over the batch, with the same readers and writers, which takes half the time. Records that do
not read as usual are left to the generated functions; both ways give the same results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from operator import itemgetter
from typing import Any, Final

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions.compiler import compile_function
from ksqlkit.engine.functions.contract import FunctionRegistry
from ksqlkit.engine.log.partitioner import partition_for
from ksqlkit.engine.log.protocol import Output, Record
from ksqlkit.engine.plan.steps import Project, QueryPlan, Remote, Sink, SinkStep, SourceStep
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import make_deserializer, make_serializer
from ksqlkit.engine.serde.registry import SchemaRegistry
from ksqlkit.processor.scoring import Begun, Caller
from ksqlkit.scoring import RowFailed

_OFFSET, _TIME, _KEY, _VALUE, _HEADERS = map(itemgetter, range(5))
_WIDER: Final = {(T.INTEGER, T.BIGINT), (T.INTEGER, T.DOUBLE), (T.BIGINT, T.DOUBLE)}
_PIECES: Final = 4
_new: Any = tuple.__new__
Reader = Callable[[bytes | None], tuple[Any, ...] | None]


@dataclass(frozen=True, slots=True)
class Whole:
    """`arguments` gives a row's arguments of the call; `columns` are the result's, as positions in the row, None for
    the answer. With `same_key` a key of ASCII is written as it was read. A batch goes in up to `_PIECES` pieces, of
    `piece` records at least: while the server answers one, the next is read."""

    call: Caller
    sink: Sink
    read_key: Reader
    read_value: Reader
    arguments: Callable[[Any], tuple[Any, ...]]
    columns: tuple[int | None, ...]
    write_key: Callable[[Any], bytes | None]
    write_value: Callable[[Any], bytes | None]
    same_key: bool
    piece: int = 2_500

    def run(
        self,
        records: Sequence[Record],
        partition: int,
        one_by_one: Callable[[Sequence[Record]], list[Output]],
    ) -> list[Output]:
        """Results of records of an input partition, those of odd records by `one_by_one`. Raises what the call does,
        and what a writer raises."""
        found: list[Output] = []
        size = max(self.piece, -(-len(records) // _PIECES))
        waiting: Callable[[], list[Output]] | None = None
        for at in range(0, len(records), size):
            piece = records[at : at + size]
            going = self._begun(piece, partition)  # while the server works on the one before
            if waiting is not None:
                found += waiting()
            waiting = going or partial(self._with_odd, piece, partition, one_by_one)
        return found + waiting() if waiting is not None else found

    def _begun(self, records: Sequence[Record], partition: int) -> Callable[[], list[Output]] | None:
        """What waits for the answers, with the call under way; None where one of the records is odd."""
        prepared = self._prepared(records)
        if prepared is None:
            return None
        begun = self.call.ahead(prepared[2])
        return lambda: self._answered(records, partition, *prepared, begun)

    def _with_odd(
        self,
        records: Sequence[Record],
        partition: int,
        one_by_one: Callable[[Sequence[Record]], list[Output]],
    ) -> list[Output]:
        usual = [record for record in records if self._prepared([record]) is not None]
        going = self._begun(usual, partition) if usual else None
        results = zip(usual, going() if going else (), strict=True)
        following, result = next(results, (None, None))
        found: list[Output] = []
        for record in records:
            if record is following:
                assert result is not None
                found.append(result)
                following, result = next(results, (None, None))
            else:
                found += one_by_one([record])
        return found

    def _prepared(self, records: Sequence[Record]) -> tuple[list[Any], list[Any], list[Any]] | None:
        """Keys to write, rows, and arguments of the call; None where one of the records is odd."""
        try:
            rows = list(map(self.read_value, map(_VALUE, records)))
            return self._keys(records), rows, list(map(self.arguments, rows))
        except Exception:  # whatever it is: the generated functions tell of it, record by record
            return None

    def _keys(self, records: Sequence[Record]) -> list[bytes | None]:
        keys = list(map(_KEY, records))
        if self.same_key and b"".join(filter(None, keys)).isascii():
            return keys
        return list(map(self.write_key, map(self.read_key, keys)))

    def _answered(
        self,
        records: Sequence[Record],
        partition: int,
        keys: list[Any],
        rows: list[Any],
        asked: list[Any],
        begun: Begun | None,
    ) -> list[Output]:
        answers = self.call.answers(asked, list(map(_OFFSET, records)), begun)
        if RowFailed in set(map(type, answers)):
            answers = [None if type(a) is RowFailed else a for a in answers]
        columns = (answers if c is None else map(itemgetter(c), rows) for c in self.columns)
        values = map(self.write_value, zip(*columns, strict=True))
        places: Iterable[int] = repeat(partition if self.sink.in_place else 0)
        if self.sink.partitions > 1 and not self.sink.in_place:
            places = [partition_for(key, self.sink.partitions) for key in keys]
        times, headers = map(_TIME, records), map(_HEADERS, records)
        outputs = zip(repeat(self.sink.topic), places, times, keys, values, headers)
        return list(map(_new, repeat(Output), outputs))


def whole(
    plan: QueryPlan, functions: FunctionRegistry, schemas: SchemaRegistry | None, offset: str
) -> Whole | None:
    """How to run a planned query in whole batches; None for one that does more than pass columns through one call.
    `offset` is the column that calls have as their first argument."""
    match plan.root:
        case SinkStep(
            sink=Sink(timestamp_column=None) as sink,
            input=Project(input=Remote(input=SourceStep() as read, stages=(stage,))) as project,
        ):
            pass
        case _:
            return None
    source, call, root = read.source, stage.call, plan.root
    keys, values = source.schema.key, source.schema.value
    origins = dict(zip((c.name for c in read.schema.columns), read.origins, strict=True))
    first, *arguments = stage.args
    if (
        source.timestamp_column is not None
        or any(c.header is not None for c in values)
        or stage.null_propagates
        or not isinstance(call, Caller)
        or first != N.ColumnRef(offset)
        or [origins.get(e.name) if isinstance(e, N.ColumnRef) else None for e in project.key]
        != [c.name for c in keys]
        or [c.type for c in root.schema.key] != [c.type for c in keys]
    ):
        return None
    places = {c.name: i for i, c in enumerate(values)}
    known = {name: places[origin] for name, origin in origins.items() if origin in places}
    given = _arguments(arguments, known, values, functions)
    answered: dict[str, tuple[int | None, T.SqlType]] = {n: (i, values[i].type) for n, i in known.items()}
    answered[stage.column] = (None, stage.type)
    selected = dict(zip((c.name for c in project.schema.value), project.value, strict=True))
    columns = []
    for column in root.schema.value:
        expr = selected[column.name]
        found = answered.get(expr.name) if isinstance(expr, N.ColumnRef) else None
        if found is None or found[1] != column.type:
            return None
        columns.append(found[0])
    if given is None:
        return None
    text = source.key_format == sink.key_format and source.key_format.name == "KAFKA"
    read_one = partial(make_deserializer, topic=source.topic, registry=schemas)
    write_one = partial(make_serializer, topic=sink.topic, registry=schemas)
    return Whole(
        call,
        sink,
        read_one(source.key_format, keys, is_key=True),
        read_one(source.value_format, values, is_key=False),
        given,
        tuple(columns),
        write_one(sink.key_format, root.schema.key, is_key=True),
        write_one(sink.value_format, root.schema.value, is_key=False),
        same_key=text and [c.type for c in keys] == [T.STRING],
    )


def _arguments(
    exprs: Sequence[N.Expression],
    known: Mapping[str, int],
    columns: Sequence[Column],
    functions: FunctionRegistry,
) -> Callable[[Any], tuple[Any, ...]] | None:
    """Arguments of the call, from a row of those columns: columns, and numbers as wider ones; None for others."""
    inner = [e.operand if isinstance(e, N.Cast) else e for e in exprs]
    names = [e.name for e in inner if isinstance(e, N.ColumnRef) and e.name in known]
    if not names or len(names) < len(exprs):
        return None
    if all(isinstance(e, N.ColumnRef) for e in exprs):
        picked = [known[name] for name in names]
        return itemgetter(*picked) if len(picked) > 1 else itemgetter(slice(picked[0], picked[0] + 1))
    for expr, name in zip(exprs, names, strict=True):
        if isinstance(expr, N.Cast) and (columns[known[name]].type, expr.type) not in _WIDER:
            return None
    named = {i: name for name, i in known.items()}
    row = [replace(c, name=named.get(i, c.name)) for i, c in enumerate(columns)]
    return compile_function(exprs, row, functions)
