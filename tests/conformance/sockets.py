"""Runs the REST cases over real sockets: HTTP/1.1 by /query, HTTP/2 by /query-stream; statements by /ksql.

One server serves all cases of a protocol; each case puts its own engine behind it.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

import httpx

from ksqlkit.engine.rest.app import App
from ksqlkit.engine.rest.messages import PROTOBUF, V1
from ksqlkit.engine.rest.serve import listen, serve, url_of
from ksqlkit.engine.rest.service import Service
from ksqlkit.errors import StatementError
from tests.conformance.cases import Case, loads
from tests.conformance.query import Outcome
from tests.conformance.rest import RestRunner, Rows, run_with

PROTOCOLS = ("HTTP/1.1", "HTTP/2")
STATEMENT_ERROR = "KsqlStatementErrorMessage"  # the kind of the other one's name is that of all errors


class Refused(StatementError):
    """A request that was refused, with the body's @type."""

    def __init__(self, answer: httpx.Response) -> None:
        body = json.loads(answer.content)
        super().__init__(body["message"], status=answer.status_code, error_code=body["error_code"])
        self.kind = body["@type"]


class Server:
    """Serves whatever `app` is at the moment."""

    def __init__(self) -> None:
        self.app: App | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            event = await receive()
            await send({"type": f"{event['type']}.complete"})
            return
        assert self.app is not None
        await self.app(scope, receive, send)

    @property
    def service(self) -> Service:
        assert self.app is not None
        return self.app.service


@contextmanager
def serving(*, http2: bool) -> Iterator[tuple[Server, httpx.Client]]:
    """A server without an engine, and a client of it."""
    server, found, listening = Server(), listen("127.0.0.1", 0), threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        await serve(server, found, listening.set, stop)  # type: ignore[arg-type]

    runner = threading.Thread(target=lambda: asyncio.run(main()), name="conformance-server")
    runner.start()
    assert listening.wait(10)
    try:
        with httpx.Client(base_url=url_of(found), http1=not http2, http2=http2, timeout=20) as client:
            yield server, client
    finally:
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        runner.join(10)
        found.close()


def run_cases(cases: list[Case], *, http2: bool) -> Iterator[tuple[Case, Outcome]]:
    """Run cases over one protocol."""
    if not cases:
        return
    with serving(http2=http2) as (server, client):
        for case in cases:
            yield case, run_with(partial(SocketRunner, server=server, client=client, http2=http2), case)


class SocketRunner(RestRunner):
    """Asks by HTTP."""

    def __init__(self, spec: Mapping[str, Any], *, server: Server, client: httpx.Client, http2: bool) -> None:
        super().__init__(spec)
        self._client = client
        self._service = Service(self.engine)
        server.app = App(self._service)
        self.engine.start()
        newer, older = ("/query-stream", "sql", "properties"), ("/query", "ksql", "streamsProperties")
        self._query = newer if http2 else older
        self.open: list[SocketRows] = []

    def __exit__(self, *_: object) -> None:
        self._service.close_streams()
        for rows in self.open:
            rows.response.close()
        self._service.close()
        self.engine.close()

    def execute_one(self, statement: str) -> list[str]:
        body = {"ksql": statement, "streamsProperties": self.request}
        answer = self._client.post("/ksql", json=body, headers={"accept": V1})
        if answer.status_code != 200:
            raise Refused(answer)
        return [entity["@type"] for entity in answer.json()]

    def ask(self, statement: str) -> Rows:
        self.open.append(SocketRows(self, statement, V1))
        return self.open[-1]

    def send(self, statement: str, accept: str) -> httpx.Response:
        """The beginning of a query's answer."""
        path, sql, settings = self._query
        request = self._client.build_request(
            "POST", path, json={sql: statement, settings: self.request}, headers={"accept": accept}
        )
        answer = self._client.send(request, stream=True)
        if answer.status_code != 200:
            answer.read()
            raise Refused(answer)
        return answer

    def judge(self, error: Any, expected: Mapping[str, Any]) -> Outcome:
        if str(expected.get("type", "")).endswith(STATEMENT_ERROR) and error.kind != "statement_error":
            return Outcome(False, f"@type is {error.kind}: {error.message}", None)
        return super().judge(error, expected)


class SocketRows:
    """A query's answer from the wire; push queries are closed when what is there has come."""

    def __init__(self, runner: SocketRunner, statement: str, accept: str) -> None:
        self._runner, self._statement = runner, statement
        self.response = runner.send(statement, accept)
        self._lines = self.response.iter_lines()
        self.head = _objects(next(self._lines))["header"]
        self.schema = self.head["schema"]
        self.query_id = self.head["queryId"]
        self.push = not self.query_id.startswith("query_")

    def drain(self) -> tuple[list[dict[str, Any]], str | None]:
        parts = self._parts
        rows = [{"columns": part["row"].get("columns")} for part in parts if "row" in part]
        return rows, next((p["finalMessage"] for p in parts if "finalMessage" in p), None)

    def messages(self) -> list[Any]:
        again = SocketRows(self._runner, self._statement, PROTOBUF)
        return [{"header": again.head}, *again._parts]

    @cached_property
    def _parts(self) -> list[Any]:
        if self.push:
            self._runner.engine.run_until_idle()
            self._runner.engine.close_query(self.query_id)
        return [found for line in self._lines if (found := _objects(line)) is not None]


def _objects(line: str) -> Any:
    """The object in a line of the array; None where it holds none."""
    text = line.strip().removeprefix("[").rstrip(",")
    return loads(text[: text.rindex("}") + 1]) if "}" in text else None
