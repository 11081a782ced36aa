"""The page about what agrees with ksqlDB says what the cases and the known gaps say."""

from __future__ import annotations

import pytest

from tests.conformance import docs
from tests.conformance.cases import reference


@pytest.mark.conformance
@pytest.mark.checkout
@pytest.mark.skipif(
    reference() is None, reason="no reference data: set KSQLDB_REFERENCE or put it at ../shared/ksqldb"
)
def test_the_support_page_is_current() -> None:
    assert docs.PAGE.read_text(encoding="utf-8") == docs.page(), "run `python -m tests.conformance --docs`"
