"""docs/ai-functions.md is what the packaged catalog says."""

from __future__ import annotations

import pytest

from tests.support import ai_function_page

pytestmark = pytest.mark.checkout


def test_the_page_is_current() -> None:
    assert ai_function_page.PAGE.read_text(encoding="utf-8") == ai_function_page.page(), (
        "run `python -m tests.support.ai_function_page`"
    )
