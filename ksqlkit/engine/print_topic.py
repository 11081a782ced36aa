"""PRINT: a topic's records as text, in the formats their bytes allow."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import orjson

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.expressions.times import format_date
from ksqlkit.engine.java_numbers import double_to_string
from ksqlkit.engine.log.protocol import Record
from ksqlkit.engine.serde import registered_text
from ksqlkit.engine.serde.registry import SchemaRegistry
from ksqlkit.errors import StatementError

if TYPE_CHECKING:
    from ksqlkit.engine.live import LiveContext

_BATCH: Final = 500
_NO_DATA: Final = "¯\\_(ツ)_/¯ - no data processed"
Decode = Callable[[bytes], str]


def _text(data: bytes) -> str:
    text = data.decode("utf-8")
    if not data or "\ufffd" in text:
        raise ValueError("not text")
    return text


def _json(data: bytes) -> str:
    orjson.loads(data)
    return _text(data)


def _number(pattern: str, shown: Callable[[float], str]) -> Decode:
    return lambda data: shown(struct.unpack(pattern, data)[0])


def _session(inner: Decode) -> Decode:
    def decode(data: bytes) -> str:
        end, start = struct.unpack(">qq", data[-16:])
        return f"[{inner(data[:-16])}@{start}/{end}]"

    return decode


def _time_window(inner: Decode) -> Decode:
    return lambda data: f"[{inner(data[:-8])}@{struct.unpack('>q', data[-8:])[0]}/-]"


# In ksqlDB's order: the first that still fits everything seen prints the records.
_PLAIN: Final[tuple[tuple[str, Decode], ...]] = (
    ("JSON", _json),
    ("KAFKA_INT", _number(">i", lambda v: str(v))),
    ("KAFKA_BIGINT", _number(">q", lambda v: str(v))),
    ("KAFKA_DOUBLE", _number(">d", double_to_string)),
    ("KAFKA_STRING", _text),
)


def _options(schemas: SchemaRegistry | None) -> tuple[tuple[str, Decode], ...]:
    if schemas is None:
        return _PLAIN
    avro, protobuf, json_sr = registered_text.readers(schemas)
    return (avro, protobuf, _PLAIN[0], json_sr, *_PLAIN[1:])


def _windowed(options: tuple[tuple[str, Decode], ...]) -> tuple[tuple[str, Decode], ...]:
    return tuple(
        option
        for name, inner in options
        for option in (
            (f"SESSION({name})", _session(inner)),
            (f"HOPPING({name})", _time_window(inner)),
            (f"TUMBLING({name})", _time_window(inner)),
            (name, inner),
        )
    )


class _Guess:
    """The formats that fit all values seen so far."""

    def __init__(self, options: tuple[tuple[str, Decode], ...]) -> None:
        self.options = list(options)
        self.seen = False

    def add(self, data: bytes | None) -> None:
        """Drop the formats that do not fit."""
        if data is None:
            return
        self.seen = True
        self.options = [o for o in self.options if self._fits(o[1], data)]

    @staticmethod
    def _fits(decode: Decode, data: bytes) -> bool:
        try:
            decode(data)
        except (ValueError, IndexError, struct.error):
            return False
        return True

    def show(self, data: bytes | None) -> str:
        """The value in the first format that is left; raw bytes where none is."""
        if data is None:
            return "<null>"
        if not self.options:
            return "".join(chr(b) if 32 <= b < 127 else f"\\x{b:02X}" for b in data)
        return self.options[0][1](data)

    def __str__(self) -> str:
        return " or ".join(name for name, _ in self.options) if self.seen else _NO_DATA


class PrintedTopic:
    """PRINT's answer: iterate for lines, formats first; `records` alone gives the record lines.

    Ends at LIMIT; without LIMIT and with a running engine it goes on until closed.
    """

    def __init__(self, ctx: LiveContext, node: N.Print, pump: Callable[[float | None], bool]) -> None:
        info = ctx.topic(node.topic) or ctx.topic(node.topic.upper())
        if info is None:
            raise StatementError(
                f"Could not find topic '{node.topic}', or the KSQL user does not have permissions to list the topic. "
                "Topic names are case-sensitive.",
                error_code=40000,
            )
        self.topic = info.name
        self._ctx = ctx
        self._pump = pump
        self._interval = max(1, node.interval or 1)
        self._left = node.limit
        self._closed = False
        options = _options(ctx.schemas)
        self._keys, self._values = _Guess(_windowed(options)), _Guess(options)
        begin = node.from_beginning
        self._at = {
            p: (ctx.log.begin_offset if begin else ctx.log.end_offset)(info.name, p)
            for p in range(info.partitions)
        }

    def close(self) -> None:
        """Stop."""
        self._closed = True

    @property
    def formats(self) -> tuple[str, str]:
        """The two lines that say which formats fit what was read so far."""
        return f"Key format: {self._keys}", f"Value format: {self._values}"

    def __iter__(self) -> Iterator[str]:
        shown = False
        for line in self.records():
            if not shown:
                yield from self.formats
                shown = True
            yield line

    def poll(self) -> list[str]:
        """The lines that are there now; empty when there are none."""
        with self._ctx.lock:
            batch = self._read()
        for _, record in batch:
            self._keys.add(record.key)
            self._values.add(record.value)
        lines = []
        for number, (partition, record) in enumerate(batch):
            if number % self._interval == 0 and (self._left is None or self._left > 0):
                lines.append(self._line(partition, record))
                if self._left is not None:
                    self._left -= 1
        return lines

    @property
    def done(self) -> bool:
        """Whether LIMIT is reached or it was closed."""
        return self._closed or self._left == 0

    def records(self) -> Iterator[str]:
        """The record lines."""
        while not self.done:
            lines = self.poll()
            yield from lines
            if lines or self.done:
                continue
            if not self._pump(0.5):
                return

    def _read(self) -> list[tuple[int, Record]]:
        found: list[tuple[int, Record]] = []
        for partition, offset in self._at.items():
            records = self._ctx.log.read(self.topic, partition, offset, _BATCH)
            if records:
                self._at[partition] = records[-1].offset + 1
                found += [(partition, r) for r in records]
        return found

    def _line(self, partition: int, record: Record) -> str:
        days, millis = divmod(record.timestamp, 86_400_000)
        seconds, rest = divmod(millis, 1000)
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"
        day = format_date(days).replace("-", "/")
        return (
            f"rowtime: {day} {clock} Z, key: {self._keys.show(record.key)}, "
            f"value: {self._values.show(record.value)}, partition: {partition}"
        )
