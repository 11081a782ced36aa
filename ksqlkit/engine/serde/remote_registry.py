"""A Schema Registry elsewhere, by its HTTP API (Confluent Schema Registry 7, and what speaks like it)."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Final

from ksqlkit.engine.serde.registry import Registered, SchemaKind, SchemaRegistry
from ksqlkit.errors import ServerError, StatementError, Unreachable

KIND: Final = "application/vnd.schemaregistry.v1+json"
TIMEOUT: Final = 10.0  # seconds


class RemoteRegistry(SchemaRegistry):
    """The registry at `url`; `user_info` is "user:password". What an id stands for never changes, so it is kept.

    Raises Unreachable where nothing answers, StatementError for what the registry refuses.
    """

    def __init__(self, url: str, user_info: str | None = None) -> None:
        super().__init__()
        self._url = url.rstrip("/")
        self._headers = {"Content-Type": KIND, "Accept": KIND}
        if user_info:
            self._headers["Authorization"] = "Basic " + base64.b64encode(user_info.encode()).decode()

    def register(
        self,
        subject: str,
        kind: SchemaKind,
        schema: str,
        *,
        id: int | None = None,
        references: tuple[str, ...] = (),
    ) -> Registered:
        """Register a schema; the registry gives the id. Raises StatementError for a given id or for references."""
        if id is not None or references:
            raise StatementError(
                "Schemas with a given id or with references are registered at the registry itself"
            )
        body = {"schema": schema, "schemaType": kind}
        path = f"/subjects/{_quoted(subject)}"
        self._call("POST", f"{path}/versions", body)
        found = self._call("POST", path, body)
        return self._remember(found, kind)

    def register_again(self, subject: str, entry: Registered) -> Registered:
        """Register a known schema under a subject; one with references is registered at the registry itself."""
        return entry if entry.references else self.register(subject, entry.kind, entry.schema)

    def by_id(self, id: int) -> Registered | None:
        """The schema of that id; its subject and version are not told by the registry."""
        known = super().by_id(id)
        if known is not None:
            return known
        found = self._find(f"/schemas/ids/{id}")
        if found is None:
            return None
        return self._remember(
            {"subject": "", "version": 0, **found, "id": id}, found.get("schemaType", "AVRO")
        )

    def latest(self, subject: str) -> Registered | None:
        """The newest version of a subject, asked each time."""
        found = self._find(f"/subjects/{_quoted(subject)}/versions/latest")
        return None if found is None else self._remember(found, found.get("schemaType", "AVRO"))

    def subjects(self) -> list[str]:
        """All subjects, sorted."""
        return sorted(self._call("GET", "/subjects"))

    def delete_subject(self, subject: str) -> list[int]:
        """Forget a subject's versions; the versions deleted."""
        path = f"/subjects/{_quoted(subject)}"
        return [] if self._find(f"{path}/versions") is None else list(self._call("DELETE", path))

    def entries(self) -> list[Registered]:
        """The newest version of each subject."""
        return [entry for subject in self.subjects() if (entry := self.latest(subject)) is not None]

    def fork(self) -> SchemaRegistry:
        """A copy on which statements are tried: it reads from here, and what it registers stays with it."""
        return _Rehearsal(self)

    def _remember(self, found: dict[str, Any], kind: SchemaKind) -> Registered:
        references = tuple(self._referenced(r) for r in found.get("references", ()))
        entry = Registered(found["id"], found["subject"], found["version"], kind, found["schema"], references)
        self._by_id.setdefault(entry.id, entry)
        return entry

    def _referenced(self, reference: dict[str, Any]) -> str:
        found = self._call(
            "GET", f"/subjects/{_quoted(reference['subject'])}/versions/{reference['version']}"
        )
        return str(found["schema"])

    def _find(self, path: str) -> Any:
        """As `_call`, None where there is no such thing."""
        try:
            return self._call("GET", path)
        except StatementError as error:
            if error.status == 404:
                return None
            raise

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, content, self._headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as reply:
                return json.loads(reply.read())
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            if error.code >= 500:
                raise ServerError(f"The schema registry at {self._url} failed: {text[:500]}") from None
            raise StatementError(f"The schema registry refused: {text[:500]}", status=error.code) from None
        except (OSError, ValueError) as error:
            raise Unreachable(
                f"No schema registry answers at {self._url} ({error})", hint="Check ksql.schema.registry.url."
            ) from error


class _Rehearsal(SchemaRegistry):
    """Reads through to a registry; ids of what is registered here are made up."""

    def __init__(self, real: SchemaRegistry) -> None:
        super().__init__()
        self._real = real

    def by_id(self, id: int) -> Registered | None:
        return super().by_id(id) or self._real.by_id(id)

    def latest(self, subject: str) -> Registered | None:
        return super().latest(subject) or self._real.latest(subject)

    def entries(self) -> list[Registered]:
        return super().entries() + self._real.entries()


def _quoted(subject: str) -> str:
    return urllib.parse.quote(subject, safe="")
