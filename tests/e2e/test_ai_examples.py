"""Every SQL example of docs/ai-functions.md, also in the DETAIL form, by the shell against `ksqlkit dev`."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import orjson
import pytest

from tests.support.ai_examples import ANSWERS, ROWS, STREAMS, examples, train_models
from tests.support.command import BIN, dev
from tests.support.mmdb import write_mmdb

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.checkout]
EXPECTED: dict[str, list[Any]] = orjson.loads(ANSWERS.read_bytes())
PLACES = {"81.2.69.0/24": {"country_code": "GB"}, "2001:4860::/32": {"country_code": "US"}}
DETAIL = {"VALUE", "STATUS", "MODEL", "VERSION", "SCORED_AT", "REASON", "ATTRIBUTIONS"}
NOTES = [  # of the rows that are meant to fail
    "note: 1 error in the rows read: Error calling FORECAST: a forecast needs at least 2 known values, not 1",
    "note: 1 error in the rows read: Error calling GEOIP: 'not an address' is no IP address",
]


def detailed(name: str, sql: str) -> str:
    """An example with the whole of NAME_DETAIL in the place of what it takes of NAME."""
    sql = sql.replace(f"{name}(", f"{name}_DETAIL(")
    return re.sub(r"\)->(\w+)", r")->VALUE->\1" if "WHERE" in sql else ")", sql)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """The last column of each row that the examples give, by function, and by function and `_DETAIL`."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "ksqlkit.toml").write_text("[project]\nname = 'examples'\n")
    for name in ("sql", "geoip"):
        (folder / name).mkdir()
    (folder / "sql" / "streams.sql").write_bytes(STREAMS.read_bytes())
    write_mmdb(folder / "geoip" / "places.mmdb", PLACES)
    train_models(folder / "models")
    asked, lines = [], [ROWS.read_text(), "SET 'auto.offset.reset' = 'earliest';"]
    for name, sql in examples().items():
        for form, text in ((name, sql), (f"{name}_DETAIL", detailed(name, sql))):
            rows = len(EXPECTED[name])
            asked.append((form, rows))
            lines.append(text.replace("EMIT CHANGES;", f"EMIT CHANGES LIMIT {rows};"))
    with dev(folder) as servers:
        done = subprocess.run(
            [BIN, "sql", "--json", "--server", servers.ksql],
            input="\n".join(lines),
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert (done.returncode, done.stderr.splitlines()) == (0, NOTES)
    told = [list(orjson.loads(line).values())[-1] for line in done.stdout.splitlines()]
    assert len(told) == sum(rows for _, rows in asked)
    return {form: [told.pop(0) for _ in range(rows)] for form, rows in asked}


def fits(found: Any, expected: Any) -> bool:
    """`1..2` is a number between, `256` a list of so many, `*` not NULL, `...` the rest; of an object, some."""
    if isinstance(expected, str) and re.fullmatch(r"-?[\d.]+\.\.-?[\d.]+", expected):
        low, high = expected.split("..")
        return isinstance(found, float) and float(low) <= found <= float(high)
    if isinstance(expected, str) and expected.isdecimal():
        return isinstance(found, list) and len(found) == int(expected)
    if expected == "*":
        return found is not None
    if isinstance(expected, list):
        if expected[-1:] == ["..."]:
            found, expected = found and found[: len(expected) - 1], expected[:-1]
        return isinstance(found, list) and len(found) == len(expected) and all(map(fits, found, expected))
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(fits(found.get(k), v) for k, v in expected.items())
    if isinstance(expected, float):
        return bool(found == pytest.approx(expected, abs=1e-9))
    return bool(found == expected)


def refused(expected: Any) -> bool:
    """Whether a row is to be an error: NULL from the function, and why from its DETAIL form."""
    return isinstance(expected, dict) and "REASON" in expected


@pytest.mark.parametrize("name", examples())
def test_the_example_answers_what_one_would_expect(answers: dict[str, list[Any]], name: str) -> None:
    for found, expected in zip(answers[name], EXPECTED[name], strict=True):
        assert fits(found, None if refused(expected) else expected), (found, expected)


@pytest.mark.parametrize("name", [n for n, sql in examples().items() if "WHERE" not in sql])
def test_its_detail_form_says_how_it_went(answers: dict[str, list[Any]], name: str) -> None:
    for plain, detail, expected in zip(answers[name], answers[f"{name}_DETAIL"], EXPECTED[name], strict=True):
        assert set(detail) == DETAIL
        if refused(expected):
            assert fits(detail, {**expected, "VALUE": None})
            continue
        assert (detail["STATUS"], detail["REASON"]) == ("OK", None)
        assert detail["VERSION"] >= 1
        assert detail["VALUE"] is not None or plain is None
