"""One remote function: batches of rows over the wire, with deadlines, retries and a circuit breaker."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from ksqlkit.errors import ServerError
from ksqlkit.scoring.breaker import Breaker
from ksqlkit.scoring.entry import Entry, plain
from ksqlkit.scoring.transport import NoReply, Reply, Transport

ATTEMPTS: Final = 3
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
_MAX_BYTES: Final = 7 * 1024 * 1024  # under the server's 8 MiB
_NETWORK: Final = 0.5  # seconds on top of the function's own time before we hang up
_TRY_AGAIN: Final = frozenset((429, 502, 503))


class RowFailed(Exception):
    """A row that was not answered. `code` is INVALID_INPUT, TIMEOUT or UNAVAILABLE."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RemoteFunction:
    """Answers rows as `RemoteCall` asks: one result per row, in order, never raising for a bad row or a dead
    server unless the function's policy is to fail the query.

    `server` is the breaker shared by all functions of a server; one of its own guards against a slow
    function.
    """

    def __init__(
        self,
        entry: Entry,
        transport: Transport,
        server: Breaker,
        *,
        timeout: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.entry = entry
        self._transport = transport
        self._server = server
        self._own = Breaker(clock=clock)
        self._timeout = entry.timeout if timeout is None else min(timeout, entry.timeout)
        self._sleep, self._clock, self._stopped = sleep, clock, stopped
        version = "" if entry.pinned is None else f"@{entry.pinned}"
        self._path = f"/v1/functions/{entry.name}{version}:batch"

    def call(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        """One value or exception per row, in order."""
        limit = self.entry.batch_limit
        out: list[Any] = []
        for start in range(0, len(rows), limit):
            out += self._chunk(rows[start : start + limit])
        return out

    def _chunk(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        try:
            body = orjson.dumps({"data": [(i, *row) for i, row in enumerate(rows)]}, default=plain)
        except TypeError as error:
            return [self._failed(RowFailed("INVALID_INPUT", str(error)))] * len(rows)
        if len(body) > _MAX_BYTES and len(rows) > 1:
            middle = len(rows) // 2
            return self._chunk(rows[:middle]) + self._chunk(rows[middle:])
        pause = _FIRST_PAUSE
        while True:
            try:
                return self._answers(self._ask(body), len(rows), len(rows[0]))
            except RowFailed as failure:
                if failure.code == "INVALID_INPUT" or self.entry.on_failure != "block" or self._stopped():
                    return [self._failed(failure)] * len(rows)
            self._sleep(random.uniform(pause / 2, pause))
            pause = min(pause * 2, 10.0)

    def _ask(self, body: bytes) -> Reply:
        """The server's 200; raises RowFailed after bounded tries."""
        failure = RowFailed("UNAVAILABLE", "the scoring server does not answer; trying again shortly")
        deadline = self._clock() + self._timeout
        headers = {"content-type": "application/json"}
        if not self.entry.deterministic and self.entry.detail_of is None:
            headers["idempotency-key"] = str(uuid.uuid4())
        pause = _FIRST_PAUSE
        for attempt in range(ATTEMPTS):
            left = deadline - self._clock()
            if left <= 0 or not (self._server.allow() and self._own.allow()):
                break
            try:
                reply = self._transport.send(
                    "POST",
                    self._path,
                    body,
                    {**headers, "x-deadline-ms": str(max(1, int(left * 1000)))},
                    left + _NETWORK,
                )
            except NoReply as error:
                (self._own if error.timed_out else self._server).failure()
                failure = RowFailed("TIMEOUT" if error.timed_out else "UNAVAILABLE", str(error))
            else:
                self._server.success()
                if reply.status == 200:
                    return reply
                failure = _refusal(reply)
                if reply.status not in _TRY_AGAIN:
                    break
                pause = max(pause, _retry_after(reply))
            if attempt + 1 < ATTEMPTS:
                # Full jitter, so that many queries do not come back together.
                self._sleep(min(random.uniform(0, pause), max(0.0, deadline - self._clock())))
                pause = min(pause * 2, _LONGEST_PAUSE)
        raise failure

    def _answers(self, reply: Reply, rows: int, width: int) -> list[Any]:
        try:
            document = orjson.loads(reply.body)
            numbers = [pair[0] for pair in document["data"]]
            values = [pair[1] for pair in document["data"]]
            errors = {row: RowFailed(code, message) for row, code, message in document["errors"]}
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise RowFailed("UNAVAILABLE", f"the scoring server's answer makes no sense: {error}") from error
        if numbers != list(range(rows)):
            # Never guess which row an answer belongs to.
            raise RowFailed("UNAVAILABLE", f"the scoring server answered other rows than the {rows} asked")
        late = errors and len(errors) == rows and all(e.code == "TIMEOUT" for e in errors.values())
        (self._own.failure if late else self._own.success)()
        decode = self.entry.decoder(width)
        if decode is not None:
            values = [None if v is None else decode(v) for v in values]
        for row, failure in errors.items():
            values[row] = self._failed(failure)
        return values

    def _failed(self, failure: RowFailed) -> Any:
        """What SQL gets for a row that failed, by the function's policy."""
        entry = self.entry
        if entry.detail_of is not None:
            status = "DEFAULTED" if entry.on_failure == "default" else failure.code
            return {
                "VALUE": entry.default if entry.on_failure == "default" else None,
                "STATUS": status,
                "MODEL": entry.model,
                "VERSION": entry.pinned or entry.version,
                "SCORED_AT": time.time_ns() // 1_000_000,
                "REASON": str(failure),
                "ATTRIBUTIONS": None,
            }
        if entry.on_failure == "default":
            return entry.default
        if entry.on_failure == "fail":
            raise ServerError(f"{entry.name}: {failure}", hint="the function's policy is to fail the query")
        return failure


def refusal_of(reply: Reply) -> str | None:
    """What a scoring server says why it refuses; None for words that are not one's, such as a proxy's page."""
    try:
        document = orjson.loads(reply.body)
        return str(document["message"]) if "code" in document else None
    except (ValueError, KeyError, TypeError):
        return None


def _refusal(reply: Reply) -> RowFailed:
    message = refusal_of(reply)
    code = "INVALID_INPUT" if reply.status in (400, 413) else "UNAVAILABLE"
    if message is None:
        return RowFailed(code, f"what answers is no scoring server: status {reply.status}")
    return RowFailed(code, f"the scoring server refused the call: {message}")


def _retry_after(reply: Reply) -> float:
    text = reply.headers.get("retry-after", "")
    return min(float(text), _LONGEST_PAUSE) if text.isdecimal() else 0.0
