"""Calls of AI functions for many records at once, by a client that waits for a server that is away."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from operator import itemgetter
from typing import Any, Final, NamedTuple, Protocol

import orjson

from ksqlkit.errors import ServerError, Unreachable
from ksqlkit.processor.columns import (
    ARROW,
    JSON,
    Answer,
    NoSense,
    Rows,
    arrow_types,
    decode,
    encode,
    have_arrow,
)
from ksqlkit.processor.versions import read_manifest
from ksqlkit.scoring import RowFailed
from ksqlkit.scoring.entry import Entry
from ksqlkit.scoring.transport import NoReply, Reply, Transport

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0
_MAX_BYTES: Final = 7 * 1024 * 1024  # under the server's 8 MiB
_NETWORK: Final = 0.5  # seconds on top of the function's own time before we hang up
_AWAY: Final = frozenset((401, 403, 429, 500, 502, 503))
_OFFSET, _ARGUMENTS = itemgetter(0), itemgetter(slice(1, None))  # of a row that is asked for
_PATIENCE: Final = 3  # how often a batch that runs out of time is halved before its rows are given up

Note = Callable[[int, str, str, str], None]  # offset, function, code, message


class Gone(ServerError):
    """The scoring server does not know the function, or not that version."""


class Begun(NamedTuple):
    """A call that is under way."""

    body: bytes
    reply: Future[Reply]


class Keeper(Protocol):
    """Who is asked while a call waits."""

    def pause(self, seconds: float, why: str) -> None:
        """Wait, and keep the place in the consumer group; raises what ends the wait."""


class Caller:
    """Answers a function's rows as the engine asks: each row is a record's offset, then the arguments.

    Rows that fail are told to `note`. A bad row follows the function's policy. While the server is away, the rows wait
    (with `wait`, or where the policy is to block); else the policy decides. Raises ServerError where it is to fail.
    A `_DETAIL` form whose attributions nobody wants may be put together from the `plain` form's answers, which are
    fewer bytes by far.
    """

    def __init__(
        self,
        entry: Entry,
        transport: Transport,
        keeper: Keeper,
        note: Note,
        *,
        wait: bool,
        plain: Entry | None = None,
    ) -> None:
        self._transport, self._keeper, self._note = transport, keeper, note
        self._patient = wait
        self._kinds: dict[int, tuple[str, ...] | None] = {}
        self.seconds = 0.0  # spent in calls so far
        have_arrow()  # imported now: by the first call it would hold up all rows
        self._take(entry, plain)

    def adopt(self, entries: Mapping[str, Entry]) -> None:
        """Ask for what the function is now: the same arguments, maybe another version."""
        plain = self._plain and entries.get(self._plain.name, self._plain)
        self._take(entries.get(self.entry.name, self.entry), plain)

    def _take(self, entry: Entry, plain: Entry | None) -> None:
        self.entry, self._plain = entry, plain
        self._wait = self._patient or entry.on_failure == "block"
        self._asked = asked = plain or entry
        version = "" if asked.pinned is None else f"@{asked.pinned}"
        self._path = f"/v1/functions/{asked.name}{version}:batch"

    def call(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        """One value per row, in order; a RowFailed in its place where SQL gets NULL for a failure."""
        return self.answers(list(map(_ARGUMENTS, rows)), list(map(_OFFSET, rows)))

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1, "ksqlkit-ahead")

    def ahead(self, rows: Rows) -> Begun | None:
        """Begin to ask, on a thread, for what `answers` will be asked for; None where that may not be done, or not in
        one call. Calls go out in the order in which they were begun."""
        if not self.entry.deterministic or not 0 < len(rows) <= self.entry.batch_limit:
            return None
        kinds = self._wire(len(rows[0]))
        try:
            body = encode(rows, kinds)
        except (TypeError, ValueError, OverflowError):
            return None
        if len(body) > _MAX_BYTES:
            return None
        headers, timeout = self._headers(arrow=kinds is not None), self.entry.timeout + _NETWORK
        send = self._transport.send
        return Begun(body, self._thread.submit(send, "POST", self._path, body, headers, timeout))

    def answers(self, rows: Rows, offsets: Sequence[int], begun: Begun | None = None) -> list[Any]:
        """As `call`, for arguments alone and the offsets of their records; `begun` is what `ahead` made of these."""
        out: list[Any] = []
        limit = self.entry.batch_limit
        start = time.monotonic()
        for at in range(0, len(rows), limit):
            answers = self._answers(rows[at : at + limit], _PATIENCE, begun)
            if self.entry.detail_of is not None or RowFailed in set(map(type, answers)):
                places = offsets[at : at + limit]
                answers = [self._settled(o, answer) for o, answer in zip(places, answers, strict=True)]
            out += answers
        self.seconds += time.monotonic() - start
        return out

    # ---------------------------------------------------------------- asking

    def _wire(self, width: int) -> tuple[str, ...] | None:
        """Arrow's types of a call of so many arguments, None for one that goes as JSON."""
        if width not in self._kinds:
            self._kinds[width] = arrow_types(self._asked, width)
        return self._kinds[width]

    def _headers(self, *, arrow: bool) -> dict[str, str]:
        return {
            "content-type": ARROW if arrow else JSON,
            "x-deadline-ms": str(int(self.entry.timeout * 1000)),
        }

    def _answers(self, rows: Rows, patience: int, begun: Begun | None = None) -> list[Any]:
        """Values, or RowFailed, of rows of one width."""
        width = len(rows[0])
        kinds = self._wire(width)
        reply = None if begun is None else begun.reply
        try:
            body = encode(rows, kinds) if begun is None else begun.body
        except (TypeError, ValueError, OverflowError) as error:
            return self._apart(rows, RowFailed("INVALID_INPUT", str(error)), patience)
        if len(body) > _MAX_BYTES:
            return self._apart(rows, RowFailed("INVALID_INPUT", f"{len(body)} bytes in one call"), patience)
        while True:
            try:
                answer = self._ask(body, len(rows), reply, arrow=kinds is not None)
                break
            except RowFailed as failure:
                reply = None
                if failure.code == "INVALID_INPUT":
                    return self._apart(rows, failure, patience)
                self._keeper.pause(0.0, str(failure))
                if failure.code == "TIMEOUT" and patience:
                    return self._apart(rows, failure, patience - 1)
                if self.entry.on_failure != "block":
                    return [failure] * len(rows)
                self._keeper.pause(FIRST_PAUSE, str(failure))
        values = answer.values
        decoder = self._asked.decoder(width) if kinds is None else None
        if decoder is not None:
            values = [None if v is None else decoder(v) for v in values]
        if self._plain is not None:
            now = time.time_ns() // 1_000_000
            values = [_detail(v, "OK", answer.model, answer.version, now, None) for v in values]
        for row, (code, message) in answer.failures.items():
            values[row] = RowFailed(code, message)
        return values

    def _apart(self, rows: Rows, failure: RowFailed, patience: int) -> list[Any]:
        """The halves on their own, so that only the row that is at fault pays; a single row has failed."""
        if len(rows) == 1:
            return [failure]
        middle = len(rows) // 2
        return self._answers(rows[:middle], patience) + self._answers(rows[middle:], patience)

    def _ask(self, body: bytes, rows: int, begun: Future[Reply] | None, *, arrow: bool) -> Answer:
        """What the server answered, at first to a call that was begun. Raises RowFailed, or ServerError for what will
        not pass."""
        headers = self._headers(arrow=arrow)
        if not self.entry.deterministic:
            headers["idempotency-key"] = str(uuid.uuid4())
        pause, tries = FIRST_PAUSE, 0
        while True:
            tries += 1
            try:
                if begun is not None:
                    reply = begun.result()
                else:
                    reply = self._transport.send(
                        "POST", self._path, body, headers, self.entry.timeout + _NETWORK
                    )
            except NoReply as error:
                if error.timed_out:
                    raise RowFailed("TIMEOUT", str(error)) from error
                why = str(error)
            else:
                try:
                    if reply.status == 200:
                        answer = decode(reply.body, rows, arrow=arrow)
                        fault = self._fault(answer) if self._wait else None
                        if fault is None:
                            return answer
                        why = f"{self.entry.name}: {fault}"
                    else:
                        why = f"{self.entry.name}: the scoring server answered {reply.status}: {_message(reply.body)}"
                except NoSense as error:
                    why = str(error)
                if reply.status in (401, 403):
                    why += "; scoring.token_env in ksqlkit.toml names the variable that holds the token"
                if reply.status in (400, 413):
                    raise RowFailed("INVALID_INPUT", why)
                if reply.status == 404:
                    raise Gone(
                        why, hint="See `ksqlkit functions`; a version that --pin names has to be there."
                    )
                if reply.status != 200 and reply.status not in _AWAY:
                    raise ServerError(why, hint="See `ksqlkit functions`, and start the processor again.")
                pause = max(pause, _seconds(reply.headers.get("retry-after", "")))
            if not self._wait and tries >= 3:
                raise RowFailed("UNAVAILABLE", why)
            begun = None
            # Full jitter, so that many processors do not come back together.
            self._keeper.pause(random.uniform(pause / 2, pause), why)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _fault(self, answer: Answer) -> str | None:
        """Why the server could answer none of the rows, where that is its own fault: a model does not load, say."""
        told = list(answer.failures.values())
        if not told and self._asked.detail_of is not None:
            told = [(v["STATUS"], v["REASON"]) for v in answer.values if v is not None]
        alone = len(told) == len(answer.values) and {code for code, _ in told} == {"UNAVAILABLE"}
        return told[0][1] if alone else None

    # ---------------------------------------------------------------- policies

    def _settled(self, offset: int, answer: Any) -> Any:
        """What SQL gets for a row, by the function's policy; failures are noted."""
        entry = self.entry
        if type(answer) is not RowFailed:
            if entry.detail_of is not None and answer is not None and answer["STATUS"] != "OK":
                self._note(offset, entry.name, answer["STATUS"], answer["REASON"] or "")
            return answer
        code = answer.code
        if entry.on_failure == "fail":
            raise ServerError(
                f"{entry.name}: {answer}",
                hint=f"Its policy is to fail. The record is at offset {offset}; a new start goes on there.",
            )
        if entry.detail_of is not None:
            defaulted = entry.on_failure == "default"
            code = "DEFAULTED" if defaulted else code
            self._note(offset, entry.name, code, str(answer))
            now = time.time_ns() // 1_000_000
            value = entry.default if defaulted else None
            return _detail(value, code, entry.model, entry.pinned or entry.version, now, str(answer))
        self._note(offset, entry.name, code, str(answer))
        return entry.default if entry.on_failure == "default" else answer


def _detail(
    value: Any, status: str, model: str | None, version: int, now: int, reason: str | None
) -> dict[str, Any]:
    """What a `_DETAIL` form answers."""
    return {
        "VALUE": value,
        "STATUS": status,
        "MODEL": model,
        "VERSION": version,
        "SCORED_AT": now,
        "REASON": reason,
        "ATTRIBUTIONS": None,
    }


def wait_for(transport: Transport, url: str, keeper: Keeper, patience: float) -> dict[str, Entry]:
    """The functions of a server, asked again until it answers; raises Unreachable after `patience` seconds."""
    until = time.monotonic() + patience
    pause = FIRST_PAUSE
    while True:
        try:
            reply = transport.send("GET", "/v1/functions", b"", {}, 5.0)
            if reply.status == 200:
                return read_manifest(reply.body)
            why = f"{url}/v1/functions answered {reply.status}: {_message(reply.body)}"
            if reply.status in (401, 403):
                raise ServerError(
                    why, hint="Set the scoring server's token: scoring.token_env in ksqlkit.toml."
                )
        except NoReply as error:
            why = str(error)
            if error.hint is not None:
                raise ServerError(why, hint=error.hint) from error
        except (ValueError, KeyError, TypeError) as error:
            raise ServerError(
                f"{url}/v1/functions is no manifest: {error}",
                hint="Is it a scoring server, of the same release of ksqlkit?",
            ) from error
        if time.monotonic() >= until:
            raise Unreachable(why, hint="start it with `python -m udf_server`, or correct its URL")
        keeper.pause(pause, why)
        pause = min(pause * 2, LONGEST_PAUSE)


def _message(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode(errors="replace")


def _seconds(text: str) -> float:
    return min(float(text), LONGEST_PAUSE) if text.isdecimal() else 0.0
