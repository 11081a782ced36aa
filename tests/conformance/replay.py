"""Replays the recorded HTTP exchanges against our server, in order, over real sockets.

`python -m tests.conformance.replay` prints passed/total by kind; names of exchanges (or their beginnings) as
arguments print what differs in those.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.functions.registry import Registry
from tests.conformance.cases import reference
from tests.conformance.replay_compare import difference, normal
from tests.conformance.replay_setup import UNRECORDED, register
from tests.support.rest_server import rest_server
from tests.support.websocket import websocket_messages

FIRST_LIFE = 665  # exchanges; after them the recorded server started anew, with a schema registry
GAPS = Path(__file__).with_name("gaps_replay.txt")
_TRANSIENT = re.compile(r"transient_\w+?_\d+", re.IGNORECASE)
_LIVE = re.compile(r'\["(live\d)"')


@dataclass(frozen=True)
class Answer:
    """What came back; `ended` is false when the answer was still open."""

    status: int
    content_type: str | None
    body: str


def load() -> list[dict[str, Any]]:
    """All exchanges; empty without the reference data."""
    root = reference()
    if root is None:
        return []
    text = (root / "transcripts" / "exchanges.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def gaps() -> dict[str, str]:
    """Known gaps: exchange id -> reason."""
    lines = GAPS.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if line.strip() and not line.startswith("#"))
    return {pair[0]: pair[1] for pair in pairs}


def kind_of(exchange: dict[str, Any]) -> str:
    """What the exchange is about: its path and protocol."""
    path = urlsplit(exchange["path"]).path.split("/")
    name = "/ws/query" if exchange["path"].startswith("ws:") else "/" + path[1]
    return f"{name} {'HTTP/2' if _is_http2(exchange) else 'HTTP/1.1'}"


def run(exchanges: list[dict[str, Any]]) -> dict[str, str | None]:
    """Replay all; for each exchange None, or what differs."""
    found = _live(exchanges[:FIRST_LIFE], {})
    return found | _live(exchanges[FIRST_LIFE:], {"ksql.schema.registry.url": "embedded"})


def _live(exchanges: list[dict[str, Any]], properties: dict[str, object]) -> dict[str, str | None]:
    functions = Registry()
    register(functions)
    engine = Engine(functions=functions, properties=properties)
    with rest_server(engine) as url:
        replay = _Replay(engine, url, exchanges)
        try:
            answers = {e["id"]: replay.answer(e) for e in exchanges}
            return {e["id"]: difference(e, _ended(answers[e["id"]])) for e in exchanges}
        finally:
            replay.close()


def _ended(answer: Answer | Exception | _Background) -> Answer | Exception:
    """The whole answer; of a query that a later exchange ends, by now."""
    if not isinstance(answer, _Background):
        return answer
    try:
        return answer.result()
    except TimeoutError as error:
        return error


class _Replay:
    """One run: two connections, and the push queries that other exchanges end."""

    def __init__(self, engine: Engine, url: str, exchanges: list[dict[str, Any]]) -> None:
        self._engine = engine
        self._url = url
        self._http1, self._http2 = _client(http2=False), _client(http2=True)
        self._ids: dict[str, str] = {}  # recorded query id -> ours
        self._open: dict[str, _Background] = {}
        self._early = _started_early(exchanges)

    def close(self) -> None:
        self._http1.close()
        self._http2.close()

    def answer(self, exchange: dict[str, Any]) -> Answer | Exception | _Background:
        """Ours to an exchange; still under way for a query that a later one ends."""
        for sql in UNRECORDED.get(exchange["id"], ()):
            self._engine.execute(sql, properties={"auto.offset.reset": "earliest"})
        self._engine.run_until_idle()
        for push in self._early.get(exchange["id"], ()):
            self._open[push["id"]] = self._start(push)
        try:
            if exchange["id"] in self._open:
                return self._open.pop(exchange["id"])
            return self._send(exchange)
        except (httpx.HTTPError, TimeoutError) as error:
            return error

    def _start(self, push: dict[str, Any]) -> _Background:
        found = _Background(_is_http2(push), self._request(push))
        recorded = _TRANSIENT.search(push["body"])
        ours = _TRANSIENT.search(found.first())
        if recorded and ours:
            self._ids[recorded[0]] = ours[0]
            self._ids[recorded[0].upper()] = ours[0].upper()
        return found

    def _send(self, exchange: dict[str, Any]) -> Answer:
        if exchange["path"].startswith("ws:"):
            target = exchange["path"].split("8088", 1)[1]
            return Answer(101, None, "\n".join(websocket_messages(self._url, target)))
        live = _LIVE.findall(exchange["body"] or "")
        if live:
            return self._send_live(exchange, live)
        open_ended = exchange["end"].startswith("client timeout")
        wanted = len(normal(exchange["body"] or "")) if open_ended else None
        answer = self._read(exchange, wanted)
        if exchange["method"] == "POST":
            self._engine.run_until_idle()
        return answer

    def _read(self, exchange: dict[str, Any], wanted: int | None) -> Answer:
        """The answer; of one that stayed open when recorded, as much as was recorded then."""
        request = self._request(exchange)
        if wanted is not None and request.method != "HEAD":
            answer = _Background(_is_http2(exchange), request, wanted).result()
            self._wait_for_leaving()
            return answer
        response = (self._http2 if _is_http2(exchange) else self._http1).send(request)
        return _answer(response, response.content)

    def _wait_for_leaving(self) -> None:
        """Until the server has seen that the client of a push query is gone; a second at most."""
        until = time.monotonic() + 1
        while len(self._engine.context.pushes) > len(self._open) and time.monotonic() < until:
            time.sleep(0.01)

    def _send_live(self, exchange: dict[str, Any], rows: list[str]) -> Answer:
        """A push query that saw rows come: they are inserted once it runs."""
        wanted = len(normal(exchange["body"])) if exchange["end"].startswith("client timeout") else None
        push = _Background(_is_http2(exchange), self._request(exchange), wanted)
        push.first()
        for name in rows:
            amount = float(name.removeprefix("live"))
            self._engine.execute(
                f"INSERT INTO orders (id, customer, amount) VALUES ('{name}', 'live', {amount});"
            )
        return push.result()

    def _request(self, exchange: dict[str, Any]) -> httpx.Request:
        body = exchange["req_body"]
        if body is not None:
            body = _TRANSIENT.sub(lambda m: self._ids.get(m[0], m[0]), body)
        headers = {
            name: value
            for name, value in exchange["req_headers"].items()
            if not name.startswith(":") and name.lower() not in ("host", "content-length")
        }
        chunked = headers.pop("Transfer-Encoding", None) is not None
        content: Any = body.encode() if body is not None else None
        recorded = exchange["chunks"][-1][0] if exchange["chunks"] else 0.0
        return httpx.Request(
            exchange["method"],
            self._url + exchange["path"],
            headers=headers,
            content=iter([content]) if chunked else content,
            extensions={"timeout": httpx.Timeout(1.0 + recorded).as_dict()},
        )


def _started_early(exchanges: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Push queries that an exchange recorded before their end speaks of: first such exchange -> the queries."""
    found: dict[str, list[dict[str, Any]]] = {}
    for number, push in enumerate(exchanges):
        if not push["path"].startswith("/query") or not (ids := _TRANSIENT.findall(push["body"] or "")):
            continue
        near = exchanges[max(0, number - 6) : number + 6]
        speaks = [e for e in near if e is not push and ids[0].lower() in _text(e).lower()]
        if speaks and "EMIT" in (push["req_body"] or ""):
            at = min(exchanges.index(speaks[0]), number)
            found.setdefault(exchanges[at]["id"], []).append(push)
    return found


def _text(exchange: dict[str, Any]) -> str:
    return f"{exchange['req_body']} {exchange['body']}"


def _client(*, http2: bool) -> httpx.Client:
    return httpx.Client(http1=not http2, http2=http2, trust_env=False)


def _is_http2(exchange: dict[str, Any]) -> bool:
    return "HTTP/2" in exchange["transport"]


def _answer(response: httpx.Response, content: bytes) -> Answer:
    return Answer(response.status_code, response.headers.get("content-type"), content.decode())


class _Background:
    """A request on a thread and a connection of its own, read as it comes; ends after `wanted` characters."""

    def __init__(self, http2: bool, request: httpx.Request, wanted: int | None = None) -> None:
        self._client, self._request, self._wanted = _client(http2=http2), request, wanted
        self._content = b""
        self._answer: Answer | None = None
        self._some = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        self._request.extensions = {"timeout": httpx.Timeout(5.0, read=None).as_dict()}
        response = self._client.send(self._request, stream=True)
        try:
            for part in response.iter_bytes():
                self._content += part
                self._some.set()
                if self._wanted is not None and len(normal(self._content.decode())) >= self._wanted:
                    break
        except httpx.HTTPError:
            self._content += b" (broken off)"
        finally:
            self._answer = _answer(response, self._content)
            response.close()
            self._client.close()
            self._some.set()

    def first(self) -> str:
        """The first part."""
        assert self._some.wait(5)
        time.sleep(0.05)
        return self._content.decode()

    def result(self) -> Answer:
        """The whole answer."""
        self._thread.join(5)
        if self._answer is None:
            raise TimeoutError(f"still open after {self._content!r}")
        return self._answer


def _report(exchanges: list[dict[str, Any]], found: dict[str, str | None], shown: list[str]) -> Iterator[str]:
    total: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for exchange in exchanges:
        kind, problem = kind_of(exchange), found[exchange["id"]]
        total[kind] += 1
        passed[kind] += problem is None
        if problem is not None and any(exchange["id"].startswith(s) or s == "all" for s in shown):
            yield f"--- {exchange['id']} {exchange['req_body']}\n{problem}"
        elif problem is not None and not shown:
            yield f"{exchange['id']}: {problem.splitlines()[0][:160]}"
    for kind in sorted(total):
        yield f"{kind:28} {passed[kind]:4}/{total[kind]}"
    yield f"{'all':28} {passed.total():4}/{total.total()}"


if __name__ == "__main__":
    recorded = load()
    for text in _report(recorded, run(recorded), sys.argv[1:]):
        print(text)
