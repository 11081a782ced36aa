"""Calls: waiting for a server, bad answers, policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from ksqlkit.errors import ServerError, Unreachable
from ksqlkit.processor.columns import arrow_types, decode, encode
from ksqlkit.processor.planning import plain_details
from ksqlkit.processor.scoring import Caller, wait_for
from ksqlkit.scoring import RowFailed
from ksqlkit.scoring.transport import NoReply
from tests.support.processor_parts import Keeper, Server, arrow_answer, entry, query


def root(x: Any) -> float:
    if x < 0:
        raise ValueError("no root")
    return float(x**0.5)


def call(
    server: Server, rows: list[float], *, wait: bool = True, keeper: Keeper | None = None, **more: Any
) -> tuple[list[Any], list[tuple[int, str, str]], Keeper]:
    notes: list[tuple[int, str, str]] = []
    keeper = keeper or Keeper()
    more.setdefault("args", ["DECIMAL(9, 2)"])  # which goes as JSON
    caller = Caller(
        entry("ROOT", **more), server, keeper, lambda o, f, c, _: notes.append((o, f, c)), wait=wait
    )
    answers = caller.call([(100 + i, row) for i, row in enumerate(rows)])
    return answers, notes, keeper


@pytest.mark.parametrize(
    "trouble",
    [NoReply("gone"), 503, 429, 500, b"half an ans", b'{"data": [[1, 2.0]], "errors": []}', b"[]"],
    ids=str,
)
def test_rows_wait_for_a_server_that_is_away(trouble: Any) -> None:
    server = Server(root, [trouble, trouble])
    answers, notes, keeper = call(server, [4.0, 9.0])
    assert answers == [2.0, 3.0]
    assert notes == []
    assert len([s for s, _ in keeper.pauses if s > 0]) == 2


def test_a_certificate_that_is_not_trusted_is_told_at_once() -> None:
    server = Server(root, [NoReply("the certificate is not to be trusted", hint="SSL_CERT_FILE")])
    with pytest.raises(ServerError, match="not to be trusted") as raised:
        wait_for(server, "https://s", Keeper(), 30.0)
    assert raised.value.hint == "SSL_CERT_FILE"


def test_what_is_no_manifest_is_told_at_once() -> None:
    with pytest.raises(ServerError, match="no manifest"):
        wait_for(Server(root, [b"<html>"]), "http://s", Keeper(), 30.0)


NO_MODEL = (
    b'{"data": [[0, null], [1, null]], "errors": [[0, "UNAVAILABLE", "no model"], [1, "UNAVAILABLE", "no"]],'
)
NO_MODEL += b' "model": null, "version": 1}'


def test_rows_wait_for_a_model_that_is_not_there() -> None:
    answers, notes, keeper = call(Server(root, [NO_MODEL, NO_MODEL]), [4.0, 9.0])
    assert answers == [2.0, 3.0]
    assert notes == []
    assert keeper.pauses[0][1] == "ROOT: no model"
    _, notes, _ = call(Server(root, [NO_MODEL]), [4.0, 9.0], wait=False)
    assert [code for _, _, code in notes] == ["UNAVAILABLE"] * 2


def test_by_policy_they_do_not_wait_long() -> None:
    server = Server(root, [NoReply("gone")] * 20)
    answers, notes, keeper = call(server, [4.0], wait=False)
    assert isinstance(answers[0], RowFailed)
    assert notes == [(100, "ROOT", "UNAVAILABLE")]
    assert len(keeper.pauses) == 3


def test_block_waits_whatever_the_setting() -> None:
    server = Server(root, [NoReply("gone")] * 20)
    answers, _, _ = call(server, [4.0], wait=False, on_failure="block")
    assert answers == [2.0]


def test_a_wait_ends_when_the_keeper_says() -> None:
    keeper = Keeper(after=2, error=Unreachable("moved"))
    with pytest.raises(Unreachable):
        call(Server(root, [503] * 9), [1.0], keeper=keeper)


def test_a_refused_call_is_halved_until_the_bad_row_stands_alone() -> None:
    class Picky(Server):
        def send(self, *args: Any, **more: Any) -> Any:
            rows = orjson.loads(args[2])["data"]
            self.replies = [400] if any(r[1] == 13 for r in rows) else []
            return super().send(*args, **more)

    answers, notes, _ = call(Picky(root), [float(i) for i in range(16)])
    assert [type(a) for a in answers].count(RowFailed) == 1
    assert notes == [(113, "ROOT", "INVALID_INPUT")]
    assert answers[9] == 3.0


def test_time_that_runs_out_costs_the_slow_row() -> None:
    class Slow(Server):
        def send(self, *args: Any, **more: Any) -> Any:
            rows = orjson.loads(args[2])["data"]
            self.replies = [NoReply("late", timed_out=True)] if any(r[1] == 5 for r in rows) else []
            return super().send(*args, **more)

    answers, notes, _ = call(Slow(root), [float(i) for i in range(8)])
    assert notes == [(105, "ROOT", "TIMEOUT")]
    assert answers[4] == 2.0


@pytest.mark.parametrize(
    ("policy", "answer"), [("null", RowFailed), ("default", float), ("block", RowFailed)]
)
def test_a_bad_row_by_policy(policy: str, answer: type) -> None:
    answers, notes, _ = call(Server(root), [4.0, -1.0], on_failure=policy, default=-7.0)
    assert answers[0] == 2.0
    assert isinstance(answers[1], answer)
    assert notes == [(101, "ROOT", "INVALID_INPUT")]


def test_the_policy_to_fail_names_the_record() -> None:
    with pytest.raises(ServerError, match="no root") as raised:
        call(Server(root), [4.0, -1.0], on_failure="fail")
    assert "offset 101" in (raised.value.hint or "")


def test_the_detail_form_of_a_failure() -> None:
    def detailed(x: float) -> dict[str, Any]:
        status = "OK" if x >= 0 else "INVALID_INPUT"
        return {"VALUE": None, "STATUS": status, "REASON": None if x >= 0 else "no root"}

    answers, notes, _ = call(
        Server(detailed), [4.0, -1.0], detail_of="ROOT", returns="STRUCT<STATUS VARCHAR>"
    )
    assert [a["STATUS"] for a in answers] == ["OK", "INVALID_INPUT"]
    assert notes == [(101, "ROOT", "INVALID_INPUT")]


def test_a_function_that_is_gone_is_no_reason_to_wait() -> None:
    with pytest.raises(ServerError, match="404"):
        call(Server(root, [404]), [1.0])


def test_long_calls_go_in_parts_of_the_functions_limit() -> None:
    server = Server(root)
    answers, _, _ = call(server, [float(i * i) for i in range(25)], batch_limit=10)
    assert answers == [float(i) for i in range(25)]
    assert [count for _, count, _ in server.calls] == [10, 10, 5]


@pytest.mark.parametrize(
    ("args", "rows"),
    [
        (["DOUBLE", "DOUBLE"], [(1.5, None), (float("nan"), -2.0)]),
        (["VARCHAR", "BIGINT", "BOOLEAN"], [("a", 1 << 60, True), (None, None, None), ("ü", -1, False)]),
    ],
)
def test_arrow_holds_what_it_is_given(args: list[str], rows: list[tuple[Any, ...]]) -> None:
    pa = pytest.importorskip("pyarrow")
    kinds = arrow_types(entry("F", args=args), len(args))
    assert kinds is not None
    table = pa.ipc.open_stream(encode(rows, kinds)).read_all()
    assert str(list(zip(*(c.to_pylist() for c in table.columns), strict=True))) == str(rows)


@pytest.mark.parametrize("args", [["DECIMAL(4, 2)"], ["ARRAY<DOUBLE>"], ["MAP<VARCHAR, DOUBLE>"]])
def test_what_arrow_does_not_take_goes_as_json(args: list[str]) -> None:
    assert arrow_types(entry("F", args=args), 1) is None


def test_an_arrow_answer_with_errors() -> None:
    pytest.importorskip("pyarrow")
    body = arrow_answer([1.0, None], [[1, "TIMEOUT", "late"]])
    assert decode(body, 2, arrow=True) == ([1.0, None], {1: ("TIMEOUT", "late")}, None, 1)
    from ksqlkit.processor.columns import NoSense

    for wrong, rows in ((body, 3), (body[:50], 2)):
        with pytest.raises(NoSense):
            decode(wrong, rows, arrow=True)


def test_a_detail_from_the_plain_answer() -> None:
    notes: list[tuple[Any, ...]] = []
    detail = entry("ROOT_DETAIL", detail_of="ROOT", args=["DECIMAL(9, 2)"], on_failure="default", default=0.0)
    server = Server(root)
    caller = Caller(
        detail,
        server,
        Keeper(),
        lambda *a: notes.append(a),
        wait=True,
        plain=entry("ROOT", args=["DECIMAL(9, 2)"]),
    )
    good, bad = caller.call([(7, 4.0), (8, -1.0)])
    assert server.calls[0][0] == "/v1/functions/ROOT@1:batch"
    assert (good["VALUE"], good["STATUS"], good["VERSION"], good["REASON"]) == (2.0, "OK", 1, None)
    assert (bad["VALUE"], bad["STATUS"], bad["REASON"]) == (0.0, "DEFAULTED", "no root")
    assert notes == [(8, "ROOT_DETAIL", "DEFAULTED", "no root")]


@pytest.mark.parametrize(
    ("select", "names"),
    [
        ("F_DETAIL(X)->VALUE AS A, F_DETAIL(X)->STATUS AS B", {"F_DETAIL"}),
        ("F_DETAIL(X)->VALUE AS A, F_DETAIL(X)->ATTRIBUTIONS AS B", set()),
        ("F_DETAIL(X) AS A, F_DETAIL(X)->STATUS AS B", set()),
        ("ABS(F_DETAIL(G_DETAIL(X)->VALUE)->VALUE) AS A", {"F_DETAIL", "G_DETAIL"}),
        ("F_DETAIL(G_DETAIL(X))->VALUE AS A", {"F_DETAIL"}),
    ],
)
def test_which_details_need_not_be_whole(tmp_path: Path, select: str, names: set[str]) -> None:
    assert plain_details(query(tmp_path, f"K, {select}").query) == names
