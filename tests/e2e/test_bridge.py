"""The bridge's jar in a JVM, loaded as ksqlDB loads it, against a scoring server."""

from __future__ import annotations

import math
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from benchmarks.bridge import FEATURES, classpath, publish_model
from ksqlkit.bridge import build_jar
from ksqlkit.bridge.functions import generic_entries
from ksqlkit.bridge.runtime import runtime_jar
from ksqlkit.cli.functions import fetch_manifest
from ksqlkit.process import ServerProcess
from tests.support.java_bridge import NEEDS_JAVA
from tests.support.models import linear_model
from tests.support.scoring_server import scoring_server
from udf_server.models.store import ModelStore
from udf_server.portable.document import portable

pytestmark = NEEDS_JAVA
FUNCTIONS = '''
from udf_server import function

@function("TAX(amount DECIMAL(9, 2), rate DOUBLE) -> DECIMAL(9, 2)")
def tax(amounts, rates):
    """A share of it."""
    return [round(a * int(r * 100) / 100, 2) for a, r in zip(amounts, rates)]

@function("BACKWARDS(b BYTES, d DATE, t TIMESTAMP) -> STRUCT<B BYTES, D DATE, T TIMESTAMP>")
def backwards(bs, ds, ts):
    """Reversed, a day and a second later."""
    return [{"B": b[::-1], "D": d + 1, "T": t + 1000} for b, d, t in zip(bs, ds, ts)]

@function("JOINED(separator VARCHAR, words VARCHAR...) -> VARCHAR")
def joined(separators, *columns):
    """Words with something between them."""
    return [s.join(words) for s, *words in zip(separators, *columns)]

@function("NESTED(a ARRAY<ARRAY<INTEGER>>, m MAP<VARCHAR, BOOLEAN>) -> MAP<VARCHAR, ARRAY<BIGINT>>")
def nested(arrays, maps):
    """Sums by what is true."""
    return [{k: [sum(x) for x in a] for k, v in m.items() if v} for a, m in zip(arrays, maps)]

@function("NTH(s STRUCT<A INTEGER, B ARRAY<VARCHAR>>) -> VARCHAR")
def nth(structs):
    """An element."""
    return [s["B"][s["A"]] for s in structs]

@function("ONLY_SOME(x BIGINT) -> BIGINT", on_failure="default", default=-1)
def only_some(xs):
    """Not for 13."""
    return [1 // (x - 13) for x in xs]
'''
CALLS: Sequence[list[Any]] = (
    ["TAX", "100.50", 0.2],
    ["BACKWARDS", "AQID", 19000, 1700000000000],
    ["JOINED", ", ", "één", 'tw"o', "🎈"],
    ["NESTED", [[1, 2], [], [3]], {"x": True, "y": False}],
    ["NTH", {"A": 1, "B": ["x", "y"]}],
    ["SENTIMENT", "What a wonderful day"],
    ["CLASSIFY", "my card is lost", ["card lost", "refund"]],
    ["FORECAST", [1, 2, 3, 4, 5, 6, 7, 8], 2],
    ["ONLY_SOME", 14],
    ["FRAUD_SCORE", *([0.5, None, -1.25] * (FEATURES // 3))],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bridge")
    publish_model(made / "models")
    (made / "functions").mkdir()
    (made / "functions" / "mine.py").write_text(FUNCTIONS)
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServerProcess]:
    started = scoring_server(folder / "models", folder / "functions")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def jar(server: ServerProcess, folder: Path) -> Path:
    built = build_jar(fetch_manifest(server.url), runtime_jar(), folder / "bridge.jar")
    assert not built.left_out
    return built.path


def load(jar: Path, calls: Sequence[Sequence[Any]], *properties: str) -> tuple[list[str], list[Any]]:
    """What loading printed, and the answers to calls of (function, overload, argument, ...)."""
    lines = b"\n".join(orjson.dumps(list(c)) for c in calls)
    command = ["java", "-Xmx256m", "-cp", classpath(), "io.ksqlkit.bridge.LoadJar", str(jar), *properties]
    done = subprocess.run(command, input=lines, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    shown, _, answers = done.stdout.decode().partition("READY\n")
    return shown.splitlines(), [orjson.loads(line) for line in answers.splitlines()]


def url(server: ServerProcess) -> str:
    return f"ksql.functions._global_.scoring.url={server.url}"


def test_every_overload_loads_by_the_loaders_rules(jar: Path, server: ServerProcess) -> None:
    shown, _ = load(jar, [], url(server))
    assert not [line for line in shown if line.startswith("WRONG")]
    entries = [*fetch_manifest(server.url), *generic_entries()]
    assert len(shown) == sum(len(e["overloads"]) for e in entries)
    assert "TAX(DECIMAL, DOUBLE) -> DECIMAL(9, 2)" in shown
    assert "JOINED(VARCHAR, VARCHAR...) -> VARCHAR" in shown
    assert "NTH(STRUCT<`A` INTEGER, `B` ARRAY<STRING>>) -> VARCHAR" in shown
    assert "AI(VARCHAR, STRUCT) -> VARCHAR" in shown


def test_answers_are_the_servers(jar: Path, server: ServerProcess) -> None:
    [forecast] = [e for e in fetch_manifest(server.url) if e["name"] == "FORECAST"]
    overloads = {"FORECAST": [len(o["args"]) for o in forecast["overloads"]].index(2)}
    _, found = load(jar, [[c[0], overloads.get(c[0], 0), *c[1:]] for c in CALLS], url(server))
    for call, answer in zip(CALLS, found, strict=True):
        body = {"data": [[0, *call[1:]]]}
        direct = httpx.post(f"{server.url}/v1/functions/{call[0]}:batch", json=body).json()
        assert answer == direct["data"][0][1], call
        assert answer is not None, direct


def test_detail_generic_and_default(jar: Path, server: ServerProcess) -> None:
    calls = [
        ["ONLY_SOME", 0, 13],
        ["ONLY_SOME_DETAIL", 0, 13],
        ["SENTIMENT_DETAIL", 0, "bad"],
        ["AI", 1, "JOINED"],
    ]
    calls[3] += ["-", "a", "b"]
    _, (default, defaulted, detail, joined) = load(jar, calls, url(server))
    assert default == -1
    assert (defaulted["VALUE"], defaulted["STATUS"]) == (-1, "DEFAULTED")
    assert (detail["STATUS"], detail["VALUE"]["LABEL"]) == ("OK", "NEGATIVE")
    assert joined == "a-b"


def test_a_server_that_is_not_there_is_a_status(jar: Path) -> None:
    _, (bare, detail) = load(
        jar,
        [["SENTIMENT", 0, "x"], ["SENTIMENT_DETAIL", 0, "x"]],
        "ksql.functions._global_.scoring.url=http://127.0.0.1:9",
    )
    assert bare is None
    assert detail["STATUS"] == "UNAVAILABLE"
    assert "127.0.0.1:9" in detail["REASON"]


def write_model(folder: Path) -> Path:
    """The live fraud model in a file."""
    (folder / "fraud.model").write_bytes(portable(*ModelStore(folder / "models").read("fraud", 1)))
    return folder / "fraud.model"


def test_the_model_in_the_jvm_needs_no_server_and_answers_the_same(
    jar: Path, server: ServerProcess, folder: Path
) -> None:
    calls = [["FRAUD_SCORE", 0, *([i / 7, None, -i / 3] * (FEATURES // 3))] for i in range(40)]
    alone = ["fraud_score.lane=local", f"fraud_score.model.file={write_model(folder)}"]
    nobody = "ksql.functions._global_.scoring.url=http://127.0.0.1:9"
    _, inside = load(jar, calls, nobody, *(f"ksql.functions.{a}" for a in alone))
    _, remote = load(jar, calls, url(server))
    assert inside == pytest.approx(remote, abs=1e-7)
    assert len(set(inside)) > 10


class Jvm:
    """A jar that stays loaded; `ask` answers a call of (function, overload, argument, ...)."""

    def __init__(self, jar: Path, *properties: str) -> None:
        command = ["java", "-Xmx256m", "-cp", classpath(), "io.ksqlkit.bridge.LoadJar", str(jar)]
        self._process = subprocess.Popen(
            [*command, *properties], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        while self._process.stdout.readline() not in (b"READY\n", b""):
            pass

    def ask(self, *call: Any) -> Any:
        """The answer, None for NULL."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(orjson.dumps(call) + b"\n")
        self._process.stdin.flush()
        return orjson.loads(self._process.stdout.readline())

    def until(self, wanted: Any, *call: Any) -> None:
        """Ask until that is the answer."""
        for _ in range(200):
            found = self.ask(*call)
            if found == pytest.approx(wanted, abs=1e-9):
                return
            time.sleep(0.05)
        pytest.fail(f"{call} answers {found}, not {wanted}")

    def until_status(self, status: str, reason: str, *row: Any) -> Any:
        """Ask for a score's DETAIL until it has that status, and that in its reason."""
        found: Any = None
        for _ in range(200):
            found = self.ask("FRAUD_SCORE_DETAIL", 0, *row)
            if found["STATUS"] == status and reason in (found["REASON"] or ""):
                return found
            time.sleep(0.05)
        pytest.fail(f"no {status} with {reason}, but {found}")

    def stop(self) -> None:
        """End it."""
        self._process.communicate(timeout=20)


def test_a_promotion_is_followed_between_rows_without_a_restart(
    jar: Path, server: ServerProcess, folder: Path
) -> None:
    store = ModelStore(folder / "models")
    linear_model(store, "churn", [0.0, 1.0])
    settings = ("lane=local", "lane.fallback=none", "model.poll.ms=200")
    jvm = Jvm(jar, url(server), *(f"ksql.functions.predict.{s}" for s in settings))
    try:
        half = 0.5
        jvm.until(half, "PREDICT", 0, "churn", 9.0, 0.0)
        linear_model(store, "churn", [0.0, 0.0])
        jvm.until(half, "PREDICT", 0, "churn", 9.0, 4.0)
        assert jvm.ask("PREDICT", 0, "churn@1", 9.0, 4.0) == pytest.approx(1 / (1 + math.exp(-4)))
        assert jvm.ask("PREDICT", 0, "absent", 1.0) is None
        body = {"data": [[0, "churn@1", 9.0, 4.0]]}
        direct = httpx.post(f"{server.url}/v1/functions/PREDICT:batch", json=body).json()
        assert jvm.ask("PREDICT", 0, "churn@1", 9.0, 4.0) == pytest.approx(direct["data"][0][1], abs=1e-15)
    finally:
        jvm.stop()


def test_a_server_that_goes_and_comes_back_and_one_that_wants_a_token(jar: Path, folder: Path) -> None:
    tokens, mine = folder / "tokens", folder / "mine"
    tokens.write_text("secret FRAUD_SCORE\n")
    mine.write_text("ran-out\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "udf_server", "--lazy", "--port", str(port), "--models"]
    command += [str(folder / "models"), "--token-file", str(tokens)]
    properties = {
        "_global_.scoring.url": f"http://127.0.0.1:{port}",
        "_global_.scoring.token.file": mine,
        "fraud_score.lane": "local",
        "fraud_score.lane.fallback": "none",
        "fraud_score.model.poll.ms": 100,
    }
    jvm = Jvm(jar, *(f"ksql.functions.{key}={value}" for key, value in properties.items()))
    row = [0.5, None, -1.25] * (FEATURES // 3)
    try:
        down = jvm.ask("FRAUD_SCORE_DETAIL", 0, *row)
        assert (down["STATUS"], "scoring.url" in down["REASON"]) == ("UNAVAILABLE", True)
        server = ServerProcess("scoring server", command, health="/livez")
        try:
            refused = jvm.until_status("UNAVAILABLE", "scoring.token.file", *row)
            assert "ran-out" not in refused["REASON"]
            mine.write_text("secret\n")
            jvm.until_status("OK", "", *row)
            assert jvm.ask("SENTIMENT_DETAIL", 0, "x")["STATUS"] == "UNAVAILABLE"  # not this token's function
        finally:
            server.stop()
        assert jvm.until_status("UNAVAILABLE", "", *row)["VALUE"] is None
        server = ServerProcess("scoring server", command, health="/livez")
        try:
            scored = jvm.until_status("OK", "", *row)["VALUE"]
            jvm.until(scored, "FRAUD_SCORE", 0, *row)  # lane L, whose model came with the token
        finally:
            server.stop()
        assert jvm.ask("FRAUD_SCORE", 0, *row) == pytest.approx(
            scored, abs=1e-7
        )  # and stays without a server
    finally:
        jvm.stop()


def test_the_commands(server: ServerProcess, folder: Path, jar: Path) -> None:
    def ksqlkit(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from ksqlkit.cli.main import main; main()", *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)

    built = ksqlkit("functions", "build", "--scoring", server.url, "--out", "by_hand.jar", "--json")
    assert built.returncode == 0, built.stderr
    assert "FRAUD_SCORE_DETAIL" in orjson.loads(built.stdout)["functions"]
    assert list(orjson.loads(built.stdout)["other_jars"]) == [str(jar.resolve())]
    assert (folder / "by_hand.jar").stat().st_size > 50_000

    command = [sys.executable, "-m", "ksqlkit.engine.rest", "--port", "0", "--scoring", server.url]
    ksqldb = ServerProcess("embedded ksqlDB", command, health="/info")
    try:
        well = ksqlkit("functions", "check", "--scoring", server.url, "--server", ksqldb.url, "--json")
        assert well.returncode == 0, well.stdout + well.stderr
        assert {f["state"] for f in orjson.loads(well.stdout)} == {"ok"}
    finally:
        ksqldb.stop()
    plain = ServerProcess("embedded ksqlDB", command[:-2], health="/info")
    try:
        lacking = ksqlkit("functions", "check", "--scoring", server.url, "--server", plain.url)
        assert lacking.returncode == 1
        assert "missing" in lacking.stdout
    finally:
        plain.stop()

    (folder / "ksqlkit.toml").write_text(
        '[project]\nname = "p"\ntarget = "dev"\n[targets.dev]\nembedded = ":memory:"\n'
    )
    written = ksqlkit("functions", "model", "fraud", "--out", "fraud.file")
    assert written.returncode == 0, written.stderr
    absent = ksqlkit("functions", "model", "absent", "--out", "x.file")
    assert absent.returncode == 1
    assert "absent" in absent.stderr
    assert "Traceback" not in absent.stderr
