"""A stream's or table's records, one after the other, as column values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ksqlkit.dialect.types import BIGINT, SqlType
from ksqlkit.engine.catalog import DataSource
from ksqlkit.engine.engine import Engine
from ksqlkit.engine.log.protocol import Record
from ksqlkit.engine.serde import make_deserializer


@dataclass(slots=True)
class Reader:
    """Reads a source's topic; each partition in its own order."""

    engine: Engine
    source: DataSource
    taken: int = 0
    _at: dict[int, int] = field(default_factory=dict)

    def types(self) -> dict[str, SqlType]:
        """Columns that a record can be compared by; ROWTIME and a window's bounds are among them."""
        bounds = {"WINDOWSTART": BIGINT, "WINDOWEND": BIGINT} if self.source.window else {}
        columns = {c.name: c.type for c in self.source.schema.columns if c.header is None}
        return {"ROWTIME": BIGINT, **bounds, **columns}

    def take(self, fits: Callable[[Mapping[str, Any], bool], bool]) -> tuple[dict[str, Any], bool] | None:
        """The next record's values and whether it is a tombstone; None at the end.

        Of several partitions it is the next one that fits, else the one with the earliest time.
        """
        heads = {}
        for partition in range(self.engine.topics()[self.source.topic].partitions):
            found = self.engine.read(self.source.topic, partition, self._at.get(partition, 0), 1)
            if found:
                heads[partition] = (self._values(found[0]), found[0].value is None)
        if not heads:
            return None
        ordered = sorted(heads, key=lambda p: heads[p][0]["ROWTIME"])
        chosen = next((p for p in ordered if fits(*heads[p])), ordered[0])
        self._at[chosen] = self._at.get(chosen, 0) + 1
        self.taken += 1
        return heads[chosen]

    def _values(self, record: Record) -> dict[str, Any]:
        source, key, value = self.source, record.key, record.value
        found: dict[str, Any] = {"ROWTIME": record.timestamp}
        if source.window is not None and key is not None:
            start = int.from_bytes(key[-8:], "big", signed=True)
            session = source.window.type == "SESSION"
            end = (
                int.from_bytes(key[-16:-8], "big", signed=True)
                if session
                else start + (source.window.size or 0)
            )
            found |= {"WINDOWSTART": start, "WINDOWEND": end}
            key = key[: -16 if session else -8]
        schemas = self.engine.context.schemas
        columns = [c for c in source.schema.value if c.header is None]
        for part, data, held, is_key in (
            (source.key_format, key, source.schema.key, True),
            (source.value_format, value, columns, False),
        ):
            read = make_deserializer(part, held, is_key=is_key, topic=source.topic, registry=schemas)
            values = read(data) if data is not None else None
            found |= dict(zip((c.name for c in held), values or [None] * len(held), strict=True))
        return found
