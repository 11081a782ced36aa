"""Every recorded HTTP exchange against our server, in order; gaps are data, and strict."""

from __future__ import annotations

import pytest

from tests.conformance import replay

EXCHANGES = replay.load()
GAPS = replay.gaps()


@pytest.fixture(scope="module")
def differences() -> dict[str, str | None]:
    return replay.run(EXCHANGES)


@pytest.mark.slow
@pytest.mark.conformance
@pytest.mark.skipif(
    not EXCHANGES, reason="no reference data: set KSQLDB_REFERENCE or put it at ../shared/ksqldb"
)
def test_every_exchange_is_answered_as_recorded(differences: dict[str, str | None]) -> None:
    unexpected = {name: text for name, text in differences.items() if text is not None and name not in GAPS}
    assert not unexpected, unexpected


@pytest.mark.slow
@pytest.mark.conformance
@pytest.mark.skipif(
    not EXCHANGES, reason="no reference data: set KSQLDB_REFERENCE or put it at ../shared/ksqldb"
)
def test_gaps_are_still_there(differences: dict[str, str | None]) -> None:
    closed = [name for name in GAPS if differences.get(name, "") is None]
    assert not closed, f"take them out of {replay.GAPS.name}: {closed}"


def test_gaps_name_exchanges() -> None:
    known = {e["id"] for e in EXCHANGES}
    assert not EXCHANGES or set(GAPS) <= known
