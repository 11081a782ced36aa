"""The client of a scoring server: reads its manifest, registers its functions, follows its changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Protocol, Self

import orjson

from ksqlkit.errors import ParseError, ServerError, Unreachable
from ksqlkit.scoring.breaker import Breaker
from ksqlkit.scoring.call import RemoteFunction, refusal_of
from ksqlkit.scoring.entry import Entry
from ksqlkit.scoring.transport import HttpTransport, NoReply, Transport

logger = logging.getLogger("ksqlkit.scoring")

WATCH_SECONDS: Final = 0.4  # a saved function file shows in SQL within a second


class Registers(Protocol):
    """The part of the engine's function registry that is used here."""

    def register_remote(
        self,
        name: str,
        overloads: Sequence[dict[str, Any]],
        call: RemoteFunction,
        *,
        description: str = "",
        version: str = "",
        deterministic: bool = True,
        path: str = "remote",
    ) -> None:
        """Register or replace a function."""

    def remove(self, name: str) -> None:
        """Forget a function."""


class ScoringClient:
    """Functions of the server at `url`. `timeout` caps every call, in seconds; `transport` is for tests."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._transport: Transport = transport or HttpTransport(self.url, token)
        self._timeout = timeout
        self._breaker = Breaker()
        self._etag = ""
        self._entries: dict[str, Entry] = {}
        self._registered: dict[int, tuple[Registers, dict[str, Entry]]] = {}
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def entries(self) -> Mapping[str, Entry]:
        """The functions of the last manifest, by name."""
        return self._entries

    @property
    def available(self) -> bool:
        """Whether the server answered last time."""
        return not self._breaker.open

    def refresh(self) -> bool:
        """Fetch the manifest if it changed, and whether it did. Raises Unreachable, also where something else answers,
        or ServerError when refused."""
        headers = {"if-none-match": self._etag} if self._etag else {}
        try:
            reply = self._transport.send("GET", "/v1/functions", b"", headers, 5.0)
        except NoReply as error:
            self._breaker.failure()
            raise Unreachable(
                str(error), hint="start it with `python -m udf_server`, or correct its URL"
            ) from error
        self._breaker.success()
        if reply.status == 304:
            return False
        if reply.status != 200:
            message = refusal_of(reply)
            if message is None:
                raise self._stranger(f"status {reply.status}")
            raise ServerError(f"{self.url}/v1/functions answered {reply.status}: {message}")
        try:
            manifest = orjson.loads(reply.body)
            entries = {entry.name: entry for entry in map(Entry.read, manifest["functions"])}
        except (ValueError, KeyError, TypeError) as error:
            raise self._stranger(f"/v1/functions is no manifest: {error}") from error
        for problem in manifest.get("errors", ()):
            logger.warning("scoring server: %s: %s", problem.get("source"), problem.get("message"))
        self._etag = reply.headers.get("etag", "")
        changed = entries != self._entries
        self._entries = entries
        for registry, known in self._registered.values():
            self._apply(registry, known)
        return changed

    def function(self, name: str) -> RemoteFunction:
        """A function to call directly; raises KeyError for a name not in the manifest."""
        return self._remote(self._entries[name.upper()])

    def register_into(self, registry: Registers) -> None:
        """Register every function now, and keep the registry as the manifest changes. Queries that run keep
        the model version they were deployed with. Raises Unreachable when the manifest cannot be had."""
        _, known = self._registered.setdefault(id(registry), (registry, {}))
        if not self._entries:
            self.refresh()
        self._apply(registry, known)

    def watch(self, every: float = WATCH_SECONDS, changed: Callable[[], None] | None = None) -> None:
        """Follow the manifest in a background thread until `close`; a server that comes back is found
        again."""
        if self._watcher is not None:
            return

        def follow() -> None:
            while not self._stop.wait(every):
                try:
                    if self.refresh() and changed is not None:
                        changed()
                except ServerError:
                    continue  # calls report it; the next look may find the server again
                except Exception:
                    logger.exception("following %s failed", self.url)

        self._watcher = threading.Thread(target=follow, name="scoring-manifest", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """Stop watching and close the connections; blocked calls give up."""
        self._stop.set()
        if self._watcher is not None:
            self._watcher.join(10.0)
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def _stranger(self, why: str) -> Unreachable:
        return Unreachable(
            f"what answers at {self.url} is no scoring server: {why}",
            hint="Name the scoring server itself, as `python -m udf_server` prints it; a proxy must let /v1/ through.",
        )

    def _remote(self, entry: Entry) -> RemoteFunction:
        return RemoteFunction(
            entry, self._transport, self._breaker, timeout=self._timeout, stopped=self._stop.is_set
        )

    def _apply(self, registry: Registers, known: dict[str, Entry]) -> None:
        for gone in known.keys() - self._entries.keys():
            registry.remove(gone)
            del known[gone]
        for name, entry in self._entries.items():
            if known.get(name) == entry:
                continue
            try:
                registry.register_remote(
                    name,
                    [dict(o) for o in entry.overloads],
                    self._remote(entry),
                    description=entry.description,
                    version=str(entry.pinned or entry.version),
                    deterministic=entry.deterministic,
                    path=self.url,
                )
            except (ParseError, ValueError) as error:
                logger.warning("function %s of %s has a type we cannot read: %s", name, self.url, error)
            known[name] = entry
