"""docs/functions.md is what the registry says."""

from __future__ import annotations

import pytest

from tests.support import function_page

pytestmark = pytest.mark.checkout


def test_the_page_is_current() -> None:
    assert function_page.PAGE.read_text(encoding="utf-8") == function_page.page(), (
        "run `python -m tests.support.function_page`"
    )
