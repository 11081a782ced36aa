"""Pins, and how a promotion is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ksqlkit.errors import ProjectError
from ksqlkit.processor.versions import Changed, Pins, Versions
from tests.support.processor_parts import entry
from tests.support.whole_processor import Manifest

FRAUD = entry("FRAUD", model="fraud", pinned=1)
DETAIL = entry("FRAUD_DETAIL", model="fraud", pinned=1, detail_of="FRAUD")
ENTRIES = {"FRAUD": FRAUD, "FRAUD_DETAIL": DETAIL}


def versions(manifest: Manifest, *pins: str) -> Versions:
    used = ["FRAUD", "FRAUD_DETAIL"]
    given = Pins(pins)
    return Versions(manifest, given.apply(ENTRIES, used), used, given)


def test_a_promotion_is_seen_once_for_both_forms() -> None:
    server = Manifest(FRAUD, DETAIL)
    found = versions(server)
    found.look()
    assert found.fresh() == {}
    server.functions = tuple(replace(f, pinned=2) for f in ENTRIES.values())
    found.look()
    found.look()
    assert {name: e.pinned for name, e in found.fresh().items()} == {"FRAUD": 2, "FRAUD_DETAIL": 2}
    assert found.fresh() == {}
    assert server.asked[0] is None
    assert None not in server.asked[1:]


def test_a_server_that_is_away_or_has_lost_it_changes_nothing() -> None:
    server = Manifest()
    found = versions(server)
    found.look()
    server.away = True
    found.look()
    assert found.fresh() == {}


def test_other_arguments_are_another_plan() -> None:
    found = versions(Manifest(entry("FRAUD", model="fraud", args=["DOUBLE", "DOUBLE"]), DETAIL))
    found.look()
    with pytest.raises(Changed, match="FRAUD takes other arguments"):
        found.fresh()


@pytest.mark.parametrize("pin", ["fraud", "FRAUD@1", "all"])
def test_what_is_pinned_stays(pin: str) -> None:
    found = versions(Manifest(*(replace(f, pinned=2) for f in ENTRIES.values())), pin)
    found.look()
    assert found.fresh() == {}


def test_a_pin_of_a_version_is_of_both_forms() -> None:
    applied = Pins(["fraud@7"]).apply(ENTRIES, ["FRAUD_DETAIL"])
    assert {e.pinned for e in applied.values()} == {7}


@pytest.mark.parametrize("text", ["", "@1", "FRAUD@", "FRAUD@x", "FRAUD@0", "all@2@"])
def test_pins_that_are_none(text: str) -> None:
    with pytest.raises(ProjectError, match="FUNCTION@VERSION"):
        Pins([text])


def test_a_pin_of_what_is_not_called() -> None:
    with pytest.raises(ProjectError, match="SENTIMENT") as raised:
        Pins(["sentiment"]).apply(ENTRIES, ["FRAUD_DETAIL"])
    assert "FRAUD" in (raised.value.hint or "")
