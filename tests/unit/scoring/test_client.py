from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from ksqlkit.dialect import types as T
from ksqlkit.engine.engine import Engine
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.rest.open import connect_scoring
from ksqlkit.errors import ServerError, Unreachable
from ksqlkit.scoring import RowFailed, ScoringClient
from ksqlkit.scoring.breaker import Breaker
from ksqlkit.scoring.call import RemoteFunction
from ksqlkit.scoring.entry import Entry
from ksqlkit.scoring.transport import NoReply, Reply
from tests.support.rest_server import rest_server
from udf_server.inprocess import InProcess

FUNCTIONS = """
from udf_server import function
from decimal import Decimal

@function("TAX(amount DECIMAL(9, 2)) -> DECIMAL(9, 2)")
def tax(amounts):
    '''A fifth.'''
    return [a / 5 for a in amounts]

@function("TOTAL(x DOUBLE...) -> DOUBLE", nulls="call", batch_limit=7)
def total(*columns):
    return [sum(v or 0 for v in row) for row in zip(*columns)]

@function("REVERSED(b BYTES) -> STRUCT<B BYTES, N INT>")
def reversed_(bs):
    return [{"N": len(b), "B": b[::-1]} for b in bs]

@function("SAFE(x BIGINT) -> BIGINT", on_failure="default", default=-1)
def safe(xs):
    return [10 // x for x in xs]

@function("STRICT(x BIGINT) -> BIGINT", on_failure="fail")
def strict(xs):
    return [10 // x for x in xs]

@function("LIAR(x BIGINT) -> BIGINT")
def liar(xs):
    return ["seven" if x == 7 else x for x in xs]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(FUNCTIONS)
    return tmp_path


@pytest.fixture
def client(folder: Path) -> Iterator[ScoringClient]:
    with ScoringClient("http://in.process", transport=InProcess(folder / "models", folder)) as made:
        made.refresh()
        yield made


def test_values_cross_the_wire_as_the_engine_holds_them(client: ScoringClient) -> None:
    assert client.function("tax").call([(Decimal("10.50"),), (None,)]) == [Decimal("2.10"), None]
    assert client.function("reversed").call([(b"\x00ab",)]) == [{"B": b"ba\x00", "N": 3}]
    got = client.function("total").call([(i, 0.5, None) for i in range(20)])
    assert got == [i + 0.5 for i in range(20)]
    assert all(type(v) is float for v in got)


def test_rows_fail_alone_by_the_function_s_policy(client: ScoringClient) -> None:
    assert client.function("SAFE").call([(5,), (0,)]) == [2, -1]
    good, bad = client.function("LIAR").call([(6,), (7,)])
    assert good == 6
    assert isinstance(bad, RowFailed)
    assert bad.code == "UNAVAILABLE"
    with pytest.raises(ServerError, match="STRICT"):
        client.function("STRICT").call([(0,)])
    [detail] = client.function("SAFE_DETAIL").call([(0,)])
    assert (detail["VALUE"], detail["STATUS"]) == (-1, "DEFAULTED")


def test_a_registry_resolves_and_follows_the_functions(client: ScoringClient, folder: Path) -> None:
    registry = Registry()
    client.register_into(registry)
    found = registry.scalar("total", [T.DOUBLE, T.INTEGER, T.BIGINT])
    assert found.returns == T.DOUBLE
    assert found.remote is not None
    assert found.remote.call([(1.0, 2.0, 3.0)]) == [6.0]
    detail = registry.scalar("TAX_DETAIL", [T.Decimal(9, 2)]).returns
    assert isinstance(detail, T.Struct)
    assert detail.field("VALUE") == T.Decimal(9, 2)
    assert detail.field("SCORED_AT") == T.TIMESTAMP
    described = registry.describe("TAX")
    assert (described.description, described.path) == ("A fifth.", "http://in.process")
    (folder / "more.py").write_text(
        "from udf_server import function\n"
        "@function('HALF(x DOUBLE) -> DOUBLE')\ndef half(xs):\n    return [x / 2 for x in xs]\n"
    )
    assert client.refresh()
    assert registry.scalar("HALF", [T.DOUBLE]).fn(5.0) == 2.5
    (folder / "more.py").unlink()
    assert client.refresh()
    assert registry.kind("HALF") is None
    assert not client.refresh()


class Script:
    """A transport that does what it is told, call by call; the last step repeats."""

    def __init__(self, *steps: Callable[[bytes], Reply]) -> None:
        self.steps = list(steps)
        self.sent: list[tuple[str, Mapping[str, str]]] = []

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        self.sent.append((path, headers))
        return (self.steps.pop(0) if len(self.steps) > 1 else self.steps[0])(body)

    def close(self) -> None:
        pass


def echo(body: bytes) -> Reply:
    data = [[i, v] for i, v in orjson.loads(body)["data"]]
    return Reply(200, {}, orjson.dumps({"data": data, "errors": []}))


def status(number: int, **headers: str) -> Callable[[bytes], Reply]:
    return lambda _: Reply(number, headers, b'{"code": "X", "message": "because"}')


def dead(_: bytes) -> Reply:
    raise NoReply("connection refused")


def slow(_: bytes) -> Reply:
    raise NoReply("too slow", timed_out=True)


def answer(change: Callable[[list[Any]], list[Any]]) -> Callable[[bytes], Reply]:
    return lambda body: Reply(
        200, {}, orjson.dumps({"data": change([list(p) for p in orjson.loads(body)["data"]]), "errors": []})
    )


def entry(**changes: Any) -> Entry:
    raw = {
        "name": "F", "description": "", "deterministic": True, "batch_limit": 100, "timeout_ms": 1000, "model": "m",
        "on_failure": "null", "default": None, "version": 1, "model_version": 4, "detail_of": None,
        "overloads": [{"args": [{"name": "X", "type": "BIGINT"}], "variadic": False, "returns": "BIGINT"}],
    }  # fmt: skip
    return Entry.read({**raw, **changes})


def remote(script: Script, pauses: list[float] | None = None, **changes: Any) -> RemoteFunction:
    sleep = (pauses if pauses is not None else []).append
    return RemoteFunction(entry(**changes), script, Breaker(), sleep=sleep)


def test_calls_name_the_model_version_they_were_deployed_with() -> None:
    script = Script(echo)
    assert remote(script).call([(1,)]) == [1]
    path, headers = script.sent[0]
    assert path == "/v1/functions/F@4:batch"
    assert 0 < int(headers["x-deadline-ms"]) <= 1000


def test_a_busy_server_is_asked_again_after_a_pause() -> None:
    pauses: list[float] = []
    script = Script(status(429, **{"retry-after": "1"}), status(503), echo)
    assert remote(script, pauses).call([(1,), (2,)]) == [1, 2]
    assert len(script.sent) == 3
    assert len(pauses) == 2
    assert all(0 <= p <= 1 for p in pauses)


@pytest.mark.parametrize(
    ("step", "code"), [(dead, "UNAVAILABLE"), (slow, "TIMEOUT"), (status(503), "UNAVAILABLE")]
)
def test_rows_of_a_server_that_does_not_answer_fail_by_code(
    step: Callable[[bytes], Reply], code: str
) -> None:
    script = Script(step)
    results = remote(script).call([(1,), (2,)])
    assert [r.code for r in results] == [code, code]
    assert len(script.sent) == 3
    [detail] = remote(Script(step), detail_of="G").call([(1,)])
    assert (detail["STATUS"], detail["VALUE"], detail["VERSION"]) == (code, None, 4)


def test_a_dead_server_costs_one_round_of_tries_not_one_a_poll() -> None:
    script = Script(dead)
    function = remote(script)
    for _ in range(50):
        assert isinstance(function.call([(1,)])[0], RowFailed)
    assert len(script.sent) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data[::-1],
        lambda data: [*data, [len(data), 0]],
        lambda data: [[0, v] for _, v in data],
        lambda data: ["nonsense"],
    ],
)
def test_an_answer_for_other_rows_is_never_used(change: Callable[[list[Any]], list[Any]]) -> None:
    results = remote(Script(answer(change))).call([(1,), (2,), (3,)])
    assert [r.code for r in results] == ["UNAVAILABLE"] * 3


def test_batches_are_cut_at_the_limit_and_stay_in_order() -> None:
    script = Script(echo)
    assert remote(script).call([(i,) for i in range(250)]) == list(range(250))
    assert len(script.sent) == 3
    assert remote(script).call([]) == []


def test_a_blocking_function_waits_for_the_server() -> None:
    script = Script(*[status(503)] * 7, echo)
    assert remote(script, on_failure="block").call([(1,)]) == [1]


def test_values_that_json_cannot_carry_are_the_row_s_fault() -> None:
    [result] = remote(Script(echo)).call([(object(),)])
    assert result.code == "INVALID_INPUT"


def test_the_breaker_opens_probes_and_closes() -> None:
    now = 0.0
    breaker = Breaker(failures=2, cool=1.0, longest=3.0, clock=lambda: now)
    breaker.failure()
    assert breaker.allow()
    breaker.failure()
    assert not breaker.allow()
    now = 1.1
    assert breaker.allow()
    assert not breaker.allow()
    breaker.failure()
    now = 3.0
    assert not breaker.allow()
    now = 3.2
    assert breaker.allow()
    breaker.success()
    assert not breaker.open
    assert breaker.allow()


def test_no_server_is_a_clear_error() -> None:
    with pytest.raises(Unreachable, match="cannot reach http"):
        ScoringClient("http://127.0.0.1:9").refresh()
    with pytest.raises(ServerError, match="no manifest"):
        ScoringClient("x", transport=Script(lambda _: Reply(200, {}, b"[]"))).refresh()


PAGE = b"<!doctype html><title>Not found</title>"


@pytest.mark.parametrize(
    ("number", "body"),
    [
        (404, PAGE),
        (200, PAGE),
        (502, PAGE),
        (302, b""),
        (404, b'{"error_code": 40400, "message": "HTTP 404"}'),
    ],
)
def test_something_else_at_the_address_is_no_scoring_server(number: int, body: bytes) -> None:
    client = ScoringClient("http://proxy:80", transport=Script(lambda _: Reply(number, {}, body)))
    with pytest.raises(Unreachable, match="what answers at http://proxy:80 is no scoring server") as caught:
        client.refresh()
    assert "<" not in caught.value.render()
    if number != 200:
        [row] = remote(Script(lambda _: Reply(number, {}, body))).call([(1,)])
        assert str(row) == f"what answers is no scoring server: status {number}"


def test_a_scoring_server_that_refuses_is_told_in_its_words() -> None:
    with pytest.raises(ServerError, match="answered 401: because"):
        ScoringClient("x", transport=Script(status(401))).refresh()


def test_an_engine_starts_without_and_says_what_is_there(caplog: pytest.LogCaptureFixture) -> None:
    with rest_server(Engine()) as url:
        connect_scoring(url, None, Registry(), ":memory:").close()
    assert f"what answers at {url} is no scoring server: status 404; its functions come" in caplog.text
    assert "Name the scoring server itself" in caplog.text
