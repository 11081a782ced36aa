"""The engine's own schema registry, kept in its log."""

from __future__ import annotations

import dataclasses
from typing import Final

import orjson

from ksqlkit.engine.log.protocol import Commit, Log
from ksqlkit.engine.serde.registry import Registered, SchemaRegistry

EMBEDDED: Final = "embedded"  # the value of ksql.schema.registry.url that asks for it
_PREFIX: Final = "schema/"


class KeptSchemas(SchemaRegistry):
    """A registry whose entries are the log's metadata: the next one on the same log has them all."""

    def __init__(self, log: Log) -> None:
        self._log: Log | None = None  # nothing is written while what is there is read
        super().__init__()
        for name, content in sorted(log.load_meta().items()):
            if not name.startswith(_PREFIX):
                continue
            fields = orjson.loads(content)
            deleted = fields.pop("deleted")
            entry = Registered(**(fields | {"references": tuple(fields["references"])}))
            if deleted:
                self._by_id.setdefault(entry.id, entry)
            else:
                self._add(entry)
        self._log = log

    def _add(self, entry: Registered) -> Registered:
        self._keep(entry, deleted=False)
        return super()._add(entry)

    def _keep(self, entry: Registered, *, deleted: bool) -> None:
        if self._log is not None:
            name = f"{_PREFIX}{entry.id:010d}/{entry.subject}/{entry.version:06d}"
            content = orjson.dumps(dataclasses.asdict(entry) | {"deleted": deleted})
            self._log.commit(Commit(meta={name: content}))

    def delete_subject(self, subject: str) -> list[int]:
        """Forget a subject's versions (ids stay readable); the versions deleted."""
        for entry in self._subjects.get(subject, ()):
            self._keep(entry, deleted=True)
        return super().delete_subject(subject)
