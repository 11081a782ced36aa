"""Servers that tests share: a Kafka broker, and a scoring server with functions of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ksqlkit.process import ServerProcess
from tests.support.kafka_broker import Broker, missing
from tests.support.scoring_server import scoring_server

FUNCTIONS = '''
import time
from udf_server import RowError, function

@function("ROOT(x DOUBLE) -> DOUBLE")
def root(xs):
    """The square root."""
    return [RowError(f"{x} has no root") if x < 0 else x ** 0.5 for x in xs]

@function("SAFE_ROOT(x DOUBLE) -> DOUBLE", on_failure="default", default=-1.0)
def safe_root(xs):
    """The square root, or -1."""
    return [RowError(f"{x} has no root") if x < 0 else x ** 0.5 for x in xs]

@function("STRICT_ROOT(x DOUBLE) -> DOUBLE", on_failure="fail")
def strict_root(xs):
    """The square root, or no result at all."""
    return [RowError(f"{x} has no root") if x < 0 else x ** 0.5 for x in xs]

@function("SLOW(x DOUBLE) -> DOUBLE")
def slow(xs):
    """The same, a little later."""
    time.sleep(0.3)
    return xs

@function("TWICE(x DOUBLE) -> DOUBLE")
def twice(xs):
    """Two times x."""
    return [2 * x for x in xs]

@function("LONG(n INTEGER) -> VARCHAR")
def long(ns):
    """So many letters."""
    return ["x" * n for n in ns]
'''


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker; topics are the test's to name apart from others'."""
    if reason := missing():
        pytest.skip(reason)
    with Broker(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the scoring server has its models and functions."""
    made = tmp_path_factory.mktemp("scoring")
    (made / "functions").mkdir()
    (made / "functions" / "some.py").write_text(FUNCTIONS)
    return made


@pytest.fixture(scope="session")
def scoring(folder: Path) -> Iterator[ServerProcess]:
    """A scoring server of those functions."""
    with scoring_server(folder / "models", folder / "functions") as server:
        yield server
