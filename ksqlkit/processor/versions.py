"""Which model versions answer: those that are live, followed as they are promoted and rolled back, or pinned ones."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import orjson

from ksqlkit.errors import ProjectError
from ksqlkit.scoring.entry import Entry
from ksqlkit.scoring.transport import NoReply, Transport

logger = logging.getLogger("ksqlkit.processor")

EVERY: Final = 2.0  # seconds between two looks at the scoring server's manifest
ALL: Final = "all"
Entries = Mapping[str, Entry]


class Changed(Exception):
    """What was planned with is no more, a function's arguments or a topic's partitions: the query has to be planned
    anew."""


def read_manifest(body: bytes) -> dict[str, Entry]:
    """The functions of a manifest. Raises ValueError, KeyError or TypeError for one that is none."""
    return {entry.name: entry for entry in map(Entry.read, orjson.loads(body)["functions"])}


class Pins:
    """Functions that keep a version: NAME the one that is live at the start, NAME@VERSION that one, `all` each its
    own. Raises ProjectError for what is neither."""

    def __init__(self, given: Iterable[str] = ()) -> None:
        self._versions: dict[str, int | None] = {}
        self.all = False
        for text in given:
            name, at, version = text.strip().upper().partition("@")
            if not name or (at and not (version.isdecimal() and int(version) > 0)):
                raise ProjectError(f"--pin takes FUNCTION, FUNCTION@VERSION or all, not {text!r}")
            if name == ALL.upper() and not at:
                self.all = True
            else:
                self._versions[name] = int(version) if at else None

    def apply(self, entries: Entries, used: Sequence[str]) -> dict[str, Entry]:
        """The functions at the start. Raises ProjectError for a pin of a function that the query does not call."""
        called = {entries[name].detail_of or name for name in used}
        for name in sorted(self._versions.keys() - called):
            raise ProjectError(
                f"--pin names {name}, which the query does not call",
                hint=f"It calls {', '.join(sorted(called)) or 'none'}.",
            )
        return {name: self._pinned(entry) for name, entry in entries.items()}

    def follows(self, entry: Entry) -> bool:
        """Whether a function takes the live version."""
        return not self.all and (entry.detail_of or entry.name) not in self._versions

    def _pinned(self, entry: Entry) -> Entry:
        version = self._versions.get(entry.detail_of or entry.name)
        return entry if version is None else replace(entry, pinned=version)


class Versions:
    """Follows the manifest in a thread of its own while the block lasts. The processor asks between two batches, so
    that all rows of a transaction are answered by the same versions."""

    def __init__(self, transport: Transport, entries: Entries, used: Sequence[str], pins: Pins) -> None:
        self._transport = transport
        self._used = [name for name in used if pins.follows(entries[name])]
        self._now = {name: entries[name] for name in self._used}
        self._seen: dict[str, Entry] = dict(self._now)
        self._etag = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="versions", daemon=True)

    def fresh(self) -> Entries:
        """Functions that are answered otherwise from now on than so far. Raises Changed for one that takes other
        arguments."""
        seen = self._seen
        if seen == self._now:
            return {}
        found = {name: entry for name, entry in seen.items() if entry != self._now[name]}
        for name, entry in found.items():
            if entry.overloads != self._now[name].overloads:
                raise Changed(f"{name} takes other arguments or answers another type")
        self._now = dict(seen)
        return found

    def look(self) -> None:
        """Ask now; a server that does not answer has changed nothing."""
        headers = {"if-none-match": self._etag} if self._etag else {}
        try:
            reply = self._transport.send("GET", "/v1/functions", b"", headers, 5.0)
            if reply.status != 200:
                return
            entries = read_manifest(reply.body)
        except (NoReply, ValueError, KeyError, TypeError) as error:
            logger.debug("the manifest cannot be read: %s", error)  # calls tell of a server that is away
            return
        self._etag = reply.headers.get("etag", "")
        # One that is gone is asked for as before: its call says so.
        self._seen = {name: entries.get(name, known) for name, known in self._now.items()}

    def __enter__(self) -> Versions:
        if self._used:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(6.0)

    def _follow(self) -> None:
        while not self._stop.wait(EVERY):
            self.look()
