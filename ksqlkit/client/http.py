"""A ksqlDB over HTTP: the same authentication on every call; HTTP/1.1 but for inserts, which need HTTP/2."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from ksqlkit.certificates import trusted_authorities
from ksqlkit.client.protocol import (
    INSERT_BATCH,
    Entity,
    Header,
    Options,
    Row,
    RowErrors,
    Rows,
    TopicRecord,
    read_row,
)
from ksqlkit.errors import DataError, Location, ServerError, StatementError, Unreachable, UserError

if TYPE_CHECKING:
    import httpx

KSQL_JSON = "application/vnd.ksql.v1+json"
DELIMITED = "application/vnd.ksqlapi.delimited.v1"
KAFKA_BINARY = "application/vnd.kafka.binary.v2+json"
_PLACE = re.compile(r"^(?:line |Line: )(\d+)(?::|, Col: )(\d+)")


class HttpClient:
    """Client of a ksqlDB at `url`.

    `auth` is ("user", "password") or a bearer token. `timeout` bounds connecting and each answer in seconds;
    rows of a push query may take as long as they like. `rest_proxy` is where topics are written (Kafka REST
    Proxy, v2); ours serves it on the same port.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8088",
        *,
        auth: tuple[str, str] | str | None = None,
        timeout: float = 30.0,
        rest_proxy: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = _checked_url(url)
        self.rest_proxy = _checked_url(rest_proxy or url)
        self._auth = auth
        self._timeout = timeout
        self._transport = transport
        self._http1: httpx.Client | None = None
        self._http2: httpx.Client | None = None

    def info(self) -> Entity:
        """The server's version and state."""
        body: Entity = self._send("GET", "/info")
        found: Entity = body["KsqlServerInfo"]
        return found

    def execute(self, sql: str, *, properties: Options = None, variables: Options = None) -> list[Entity]:
        """Run statements through /ksql."""
        body = {
            "ksql": sql,
            "streamsProperties": dict(properties or {}),
            "sessionVariables": dict(variables or {}),
        }
        answer: list[Entity] = self._send("POST", "/ksql", body)
        return answer

    def query(self, sql: str, *, properties: Options = None, variables: Options = None) -> Rows:
        """Run a query that ends, through /query-stream."""
        with self.stream(sql, properties=properties, variables=variables) as rows:
            return Rows(rows.header.columns, rows.header.types, list(rows))

    @contextmanager
    def stream(
        self, sql: str, *, properties: Options = None, variables: Options = None, exact: bool = False
    ) -> Iterator[HttpRowStream]:
        """Run a query and read its rows as they come."""
        response = self._open(sql, properties, variables)
        rows = HttpRowStream(self, response, exact=exact)
        try:
            yield rows
        finally:
            rows.close()

    def lines(self, sql: str, *, properties: Options = None) -> Iterator[str]:
        """Run a PRINT statement through /query-stream."""
        import httpx

        response = self._open(sql, properties, None)
        try:
            yield from response.iter_lines()
        except httpx.TransportError as exc:
            raise Unreachable(f"{self.url} ended the connection: {exc}") from exc
        finally:
            response.close()

    def _open(self, sql: str, properties: Options, variables: Options) -> httpx.Response:
        import httpx

        body = {"sql": sql, "properties": dict(properties or {}), "sessionVariables": dict(variables or {})}
        request = self._client().build_request(
            "POST",
            f"{self.url}/query-stream",
            content=orjson.dumps(body),
            headers={"Content-Type": KSQL_JSON, "Accept": DELIMITED, "X-Ksqlkit-Row-Errors": "1"},
            timeout=httpx.Timeout(self._timeout, read=None),
        )
        return self._exchange(request, stream=True)

    def close_query(self, query_id: str) -> None:
        """End a push query by its id."""
        self._send("POST", "/close-query", {"queryId": query_id})

    def insert(self, target: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Insert rows through /inserts-stream, in batches of one request each."""
        done = 0
        batch: list[bytes] = []
        for row in rows:
            batch.append(orjson.dumps(row))
            if len(batch) == INSERT_BATCH:
                done += self._insert_batch(target, batch, done)
                batch = []
        return done + (self._insert_batch(target, batch, done) if batch else 0)

    def _insert_batch(self, target: str, rows: list[bytes], before: int) -> int:
        content = b"\n".join([orjson.dumps({"target": target}), *rows, b""])
        request = self._client(http2=True).build_request(
            "POST", f"{self.url}/inserts-stream", content=content, headers={"Accept": DELIMITED}
        )
        acks = [orjson.loads(line) for line in self._exchange(request).content.splitlines() if line]
        for ack in acks:
            if ack.get("status") != "ok":
                raise DataError(
                    f"Row {before + ack.get('seq', 0) + 1} for {target} was refused: {ack.get('message')}",
                    hint=f"The {before + ack.get('seq', 0)} rows before it are in.",
                )
        if len(acks) != len(rows):
            raise ServerError(f"{self.url} confirmed {len(acks)} of {len(rows)} rows for {target}")
        return len(acks)

    def produce(self, topic: str, records: Sequence[TopicRecord]) -> int:
        """Append records through Kafka REST Proxy's POST /topics/{topic}."""
        body = {"records": [_proxy_record(r) for r in records]}
        path = f"/topics/{topic}"
        answer = self._send("POST", path, body, base=self.rest_proxy, content_type=KAFKA_BINARY)
        offsets = answer.get("offsets", [])
        failed = next((o for o in offsets if o.get("error")), None)
        if failed:
            raise DataError(f"Topic {topic} refused a record: {failed['error']}")
        return len(offsets)

    def close(self) -> None:
        """Close connections."""
        for client in (self._http1, self._http2):
            if client is not None:
                client.close()
        self._http1 = self._http2 = None

    def _client(self, *, http2: bool = False) -> httpx.Client:
        import httpx

        kept = self._http2 if http2 else self._http1
        if kept is not None:
            return kept
        headers, auth = {}, None
        if isinstance(self._auth, str):
            headers["Authorization"] = f"Bearer {self._auth}"
        elif self._auth:
            auth = httpx.BasicAuth(*self._auth)
        made = httpx.Client(
            http1=not http2,
            http2=http2,
            auth=auth,
            headers=headers,
            timeout=self._timeout,
            transport=self._transport,
            trust_env=False,
            verify=trusted_authorities(),
        )
        if http2:
            self._http2 = made
        else:
            self._http1 = made
        return made

    def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        base: str | None = None,
        content_type: str = KSQL_JSON,
    ) -> Any:
        headers = {"Content-Type": content_type, "Accept": "application/json" if base else KSQL_JSON}
        content = None if body is None else orjson.dumps(body)
        request = self._client().build_request(
            method, (base or self.url) + path, content=content, headers=headers
        )
        response = self._exchange(request)
        try:
            return orjson.loads(response.content) if response.content else {}
        except orjson.JSONDecodeError:
            raise self._stranger(response) from None

    def _exchange(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        import httpx

        client = self._client(http2=request.url.path.endswith("/inserts-stream"))
        try:
            response = client.send(request, stream=stream)
            if response.status_code >= 400:
                response.read()
        except httpx.TimeoutException as exc:
            raise Unreachable(
                f"{self.url} did not answer {request.url.path} within {self._timeout:g} s",
                hint="Is the server busy? Raise the target's timeout.",
            ) from exc
        except httpx.TransportError as exc:
            raise Unreachable(
                f"No ksqlDB answers at {self.url} ({exc})",
                hint="Start one with `ksqlkit dev`, or name another with --server or the project's target.",
            ) from exc
        if response.is_redirect:
            raise Unreachable(
                f"{self.url} sends on to {response.headers.get('location')}",
                hint="Use that address, if it is yours.",
            )
        if response.status_code == 404 and b"error_code" not in response.content:
            raise self._stranger(response)
        if response.status_code >= 400:
            raise _refusal(response)
        return response

    def _stranger(self, response: httpx.Response) -> Unreachable:
        """Something else than a ksqlDB listens there."""
        return Unreachable(
            f"What answers at {self.url} is no ksqlDB: HTTP {response.status_code} from {response.url.path}",
            hint="Name the ksqlDB's address with --server or in the project's target; `ksqlkit dev` prints its own.",
        )


class HttpRowStream:
    """Rows of a running /query-stream."""

    def __init__(self, client: HttpClient, response: httpx.Response, *, exact: bool = False) -> None:
        import httpx

        self._client = client
        self._response = response
        self._lines = (line for line in response.iter_lines() if line)
        try:
            first = orjson.loads(next(self._lines))
        except (StopIteration, orjson.JSONDecodeError):
            raise Unreachable(f"{client.url} ended the connection before it told the columns") from None
        except httpx.TransportError as exc:
            raise Unreachable(f"{client.url} ended the connection: {exc}") from exc
        self.header = Header(first.get("queryId") or "", first["columnNames"], first["columnTypes"])
        self.row_errors = RowErrors()
        self._exact = exact and any("DECIMAL" in kind for kind in self.header.types)

    def __iter__(self) -> Iterator[Row]:
        import httpx

        try:
            for line in self._lines:
                row = read_row(line, exact=self._exact)
                if isinstance(row, dict):
                    if (told := row.get("rowErrors")) is not None:
                        self.row_errors = RowErrors(told["count"], tuple(told["reasons"]))
                        continue
                    raise StatementError(row.get("message", "The query failed"))
                yield row
        except httpx.StreamClosed:
            return
        except httpx.TransportError as exc:
            raise Unreachable(f"{self._client.url} ended the connection: {exc}") from exc

    def __enter__(self) -> HttpRowStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the query by closing its connection."""
        self._response.close()


def _checked_url(url: str) -> str:
    """The address without a final slash. Raises UserError for what is none."""
    hint = "Write it as http://HOST:PORT."
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
        parts.port  # noqa: B018 raises for a port that is none
    except ValueError:
        valid = False
    if not valid:
        if url and "://" not in url and not url.startswith("/"):
            hint = f"Did you mean http://{url}?"
        raise UserError(f"{url!r} is not the address of a server", hint=hint)
    return url.rstrip("/")


def _proxy_record(record: TopicRecord) -> dict[str, Any]:
    out: dict[str, Any] = {"value": None if record.value is None else base64.b64encode(record.value).decode()}
    if record.key is not None:
        out["key"] = base64.b64encode(record.key).decode()
    if record.timestamp is not None:
        out["timestamp"] = record.timestamp
    if record.partition is not None:
        out["partition"] = record.partition
    return out


def _refusal(response: httpx.Response) -> StatementError | ServerError:
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        body = {}
    body = body if isinstance(body, dict) else {}
    message = body.get("message") or f"HTTP {response.status_code} from {response.url.path}"
    if response.status_code >= 500:
        return ServerError(message)
    place = _PLACE.match(message)
    location = Location(line=int(place[1]), column=int(place[2])) if place else None
    return StatementError(
        message,
        statement=body.get("statementText"),
        error_code=body.get("error_code", 40000),
        status=response.status_code,
        location=location,
        hint="Check user and password of the target." if response.status_code in (401, 403) else None,
    )
