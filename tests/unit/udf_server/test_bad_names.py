"""Rows that name what is not there, is of another kind, is broken, or is a name of a megabyte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.models import linear_model
from tests.support.scoring import ask
from udf_server.function import LONGEST_MESSAGE, RowError
from udf_server.models.store import ModelStore
from udf_server.train_rows import Task, train_rows
from udf_server.validate.rules import FieldRule, parse_rule

LONG = "x" * 1_000_000


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    store = ModelStore(root)
    linear_model(store, "plain", [1.0])
    linear_model(store, "broken", [1.0])
    (root / "broken" / "1" / "model.npz").write_bytes(b"rubbish")
    linear_model(store, "other", [1.0])
    (root / "other" / "aliases.json").write_text("[")
    train_rows([{"AGE": n} for n in range(60)], Task(profile=True), store, "profile")
    train_rows(
        [{"U": f"u{n % 9}", "I": f"i{n % 7}"} for n in range(60)], Task(user="U", item="I"), store, "basket"
    )
    rnd = [{"M": f"m{n // 10}", "HEAT": float(n % 10)} for n in range(120)]
    train_rows(rnd, Task(series="M"), store, "remaining-life")
    return root


FAULTS = {
    "nobody": ("INVALID_INPUT", "there is no model 'nobody'"),
    "": ("INVALID_INPUT", "'' is no model name"),
    "../plain": ("INVALID_INPUT", "is no model name"),
    LONG: ("INVALID_INPUT", "is no model name"),
    "broken": ("UNAVAILABLE", "is corrupt"),
    "other": ("UNAVAILABLE", "is not JSON"),
}
ASKED: dict[str, list[Any]] = {
    "PREDICT": [1.0],
    "PREDICT_PROBA": [1.0],
    "PREDICT_LABEL": [1.0],
    "EXPLAIN": [1.0],
    "CLASSIFY": ["hello"],
    "CLASSIFY_PROBA": ["hello", ["a", "b"]],
    "EMBED": ["hello"],
}


@pytest.mark.parametrize("function", [*ASKED, "VALIDATE"])
def test_whose_fault_it_is_that_a_named_model_does_not_answer(models: Path, function: str) -> None:
    def row(name: str) -> list[Any]:
        return [{"AGE": "5"}, name] if function == "VALIDATE" else [name, *ASKED[function]]

    [answer] = ask(models, (function, [row(name) for name in FAULTS]))
    assert answer.values == [None] * len(FAULTS)
    for (_, code, message), (name, (expected, said)) in zip(answer.errors, FAULTS.items(), strict=True):
        assert (code, said in message) == (expected, True), (name[:10], code, message)
        assert len(message) <= LONGEST_MESSAGE
        assert str(models) not in message  # a server's folders are its own business


@pytest.mark.parametrize(
    ("function", "row", "said"),
    [
        ("CLASSIFY", ["plain", "hello"], "does not read text"),
        ("EMBED", ["plain", "hello"], "not a text encoder"),
        ("VALIDATE", [{"AGE": "5"}, "plain"], "not profile"),
        ("PREDICT", ["profile", 1.0], "is a profile: ask VALIDATE"),
        ("PREDICT", ["basket", 1.0], "of kind factors, which takes no features"),
        ("PREDICT", ["plain@9", 1.0], "has no version 9"),
        ("PREDICT", ["plain@x", 1.0], "write NAME or NAME@VERSION"),
        ("PREDICT", ["plain", {LONG: 1.0}], "has no feature XXX"),
    ],
)
def test_a_model_of_another_kind_or_version_is_the_rows_fault(
    models: Path, function: str, row: list[Any], said: str
) -> None:
    [answer] = ask(models, (function, [row]))
    [(_, code, message)] = answer.errors
    assert (code, said in message, len(message) <= LONGEST_MESSAGE) == ("INVALID_INPUT", True, True), message


@pytest.mark.parametrize(
    ("function", "good", "at", "what"),
    [
        ("REMAINING_LIFE", ["m", 1, 2.0], 0, "a series' name"),
        ("ROUTE", ["p", {"A": 1.0}, ["a", "b"]], 0, "a policy's name"),
        ("ROUTE_FEEDBACK", ["p", {"A": 1.0}, "a", 1.0, "i"], 0, "a policy's name"),
        ("ROUTE_FEEDBACK", ["p", {"A": 1.0}, "a", 1.0, "i"], 2, "a route"),
        ("ROUTE_FEEDBACK", ["p", {"A": 1.0}, "a", 1.0, "i"], 4, "an id"),
    ],
)
def test_a_name_of_a_megabyte_is_not_remembered(
    models: Path, function: str, good: list[Any], at: int, what: str
) -> None:
    bad = [*good[:at], LONG, *good[at + 1 :]]
    [answer] = ask(models, (function, [good, bad, good]))
    assert [(row, code) for row, code, _ in answer.errors] == [(1, "INVALID_INPUT")]
    assert answer.errors[0][2] == f"{what} of 1000000 characters; the limit is 500"
    assert answer.values[0] is not None


def test_a_message_is_one_line_and_not_too_long() -> None:
    assert RowError("Check failed: x\nStack trace:\n  [bt] (0) lib.so").message == "Check failed: x"
    assert RowError(LONG).message == str(RowError(LONG)) == "x" * (LONGEST_MESSAGE - 3) + "..."


@pytest.mark.parametrize(
    "rule", ["min=abc", "max=", "min=nan", "longest=abc", "longest=1.5", "longest=-1", "between 1 and 3"]
)
def test_a_rule_that_is_none_is_named(rule: str) -> None:
    with pytest.raises(ValueError, match=f"'{rule}' is no rule"):
        parse_rule(f"required; {rule}")


def test_problems_show_little_of_a_long_value() -> None:
    [problem] = FieldRule(low=0.0, high=5.0).problems("N", "7" + "0" * 300)
    assert problem.kind == "RANGE"
    assert len(problem.message) < 100
