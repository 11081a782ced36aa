from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from udf_server.batch import Batch
from udf_server.errors import ServiceError
from udf_server.service import Answer, Service

FUNCTIONS = """
from udf_server import RowError, function
import time

@function("DOUBLED(x DOUBLE) -> DOUBLE")
def doubled(xs):
    '''Twice the number.'''
    return [2 * x for x in xs]

@function("PICKY(x BIGINT) -> BIGINT", nulls="call")
def picky(xs):
    return [1000 // x for x in xs]

@function("SHORT(x BIGINT) -> BIGINT")
def short(xs):
    return [x for x in xs if x != 7]

@function("SLOW(seconds DOUBLE) -> DOUBLE", timeout=0.2)
def slow(xs):
    time.sleep(max(xs))
    return xs

@function("KIND(x DOUBLE) -> VARCHAR")
def kind(xs):
    return ["number"] * len(xs)

@kind.overload("KIND(x VARCHAR) -> VARCHAR")
def _(xs):
    return ["text"] * len(xs)

@function("CHOSEN(x BIGINT) -> VARCHAR")
def chosen(xs):
    return [RowError("no sevens") if x == 7 else str(x) for x in xs]
"""


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    folder = tmp_path / "functions"
    folder.mkdir()
    (folder / "mine.py").write_text(FUNCTIONS)
    return folder


def call(folder: Path, name: str, rows: list[list[Any]], version: int | None = None, **given: Any) -> Answer:
    async def act() -> Answer:
        service = Service(folder / "models", folder)
        try:
            return await service.call(name, version, Batch.of(rows), **given)
        finally:
            await service.drain(1.0)

    return asyncio.run(act())


def test_answers_in_order_and_skips_nulls(functions: Path) -> None:
    answer = call(functions, "doubled", [[1.5], [None], [3]])
    assert answer.values == [3.0, None, 6.0]
    assert answer.errors == []


def test_a_poison_row_in_a_thousand_is_its_own_error(functions: Path) -> None:
    rows = [[0 if i == 617 else 10] for i in range(1000)]
    answer = call(functions, "PICKY", rows)
    assert answer.values == [None if i == 617 else 100 for i in range(1000)]
    [(row, code, message)] = answer.errors
    assert (row, code) == (617, "INVALID_INPUT")
    assert "ZeroDivisionError" in message


def test_an_answer_of_the_wrong_length_never_shifts_rows(functions: Path) -> None:
    answer = call(functions, "SHORT", [[x] for x in range(20)])
    assert answer.values == [None if x == 7 else x for x in range(20)]
    assert [(r, c) for r, c, _ in answer.errors] == [(7, "UNAVAILABLE")]


def test_wrong_types_and_wrong_counts_are_row_errors(functions: Path) -> None:
    answer = call(functions, "PICKY", [["x"], [2**63], [True], [1, 2], [5]])
    assert answer.values == [None, None, None, None, 200]
    assert {(r, c) for r, c, _ in answer.errors} == {(i, "INVALID_INPUT") for i in range(4)}


def test_rows_go_to_the_overload_they_fit(functions: Path) -> None:
    answer = call(functions, "KIND", [[1], ["a"], [None], [2.5], [[1]]])
    assert answer.values == ["number", "text", None, "number", None]
    assert [r for r, _, _ in answer.errors] == [4]


def test_a_row_error_in_a_value_s_place(functions: Path) -> None:
    answer = call(functions, "CHOSEN", [[6], [7]])
    assert (answer.values, answer.errors) == (["6", None], [(1, "INVALID_INPUT", "no sevens")])


def test_late_rows_are_timeouts_and_return_at_the_deadline(functions: Path) -> None:
    start = time.monotonic()
    answer = call(functions, "SLOW", [[0.6]])
    assert answer.errors[0][:2] == (0, "TIMEOUT")
    assert time.monotonic() - start < 1.5
    assert call(functions, "DOUBLED", [[1]], budget=0.0).errors[0][1] == "TIMEOUT"


def test_detail_says_what_happened_row_by_row(functions: Path) -> None:
    answer = call(functions, "PICKY_DETAIL", [[10], [0]])
    good, bad = answer.values
    assert (good["VALUE"], good["STATUS"], good["VERSION"], good["REASON"]) == (100, "OK", 1, None)
    assert (bad["VALUE"], bad["STATUS"]) == (None, "INVALID_INPUT")
    assert answer.errors == []


@pytest.mark.parametrize(("name", "version"), [("NO_SUCH", None), ("DOUBLED", 9)])
def test_unknown_names_and_versions_are_404(functions: Path, name: str, version: int | None) -> None:
    with pytest.raises(ServiceError) as caught:
        call(functions, name, [[1]], version)
    assert caught.value.status == 404


def test_saved_files_are_seen_and_broken_ones_keep_the_old_function(functions: Path) -> None:
    async def act() -> None:
        service = Service(functions / "models", functions)
        first = service.manifest.etag
        assert not service.look()
        (functions / "new.py").write_text(
            "from udf_server import function\n"
            "@function('ONE(x DOUBLE) -> DOUBLE')\ndef one(xs):\n    return [1.0] * len(xs)\n"
        )
        assert service.look()
        assert service.adopt()
        assert service.manifest.etag != first
        assert (await service.call("ONE", None, Batch.of([[5]]))).values == [1.0]
        (functions / "new.py").write_text("from udf_server import function\nraise KeyError('half done')\n")
        assert service.look()
        assert service.adopt()
        assert "KeyError" in service.catalog.errors["new.py"]
        assert "line 2" in service.catalog.errors["new.py"]
        assert (await service.call("ONE", None, Batch.of([[5]]))).values == [1.0]
        (functions / "new.py").unlink()
        assert service.look()
        assert service.adopt()
        assert service.catalog.errors == {}
        with pytest.raises(ServiceError):
            await service.call("ONE", None, Batch.of([[5]]))
        await service.drain()

    asyncio.run(act())


def test_draining_refuses_new_calls_and_finishes_old_ones(functions: Path) -> None:
    async def act() -> None:
        service = Service(functions / "models", functions)
        running = asyncio.create_task(service.call("SLOW", None, Batch.of([[0.1]])))
        await asyncio.sleep(0.02)
        drained = asyncio.create_task(service.drain(5.0))
        await asyncio.sleep(0)
        with pytest.raises(ServiceError) as caught:
            await service.call("DOUBLED", None, Batch.of([[1]]))
        assert caught.value.status == 503
        assert (await running).values == [0.1]
        assert await drained

    asyncio.run(act())
