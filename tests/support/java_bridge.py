"""What tests need that run the bridge's Java."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

BUILT = Path(__file__).parents[2] / "build" / "bridge" / "test-classes"
NEEDS_JAVA = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.checkout,
    pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java on this machine"),
    pytest.mark.skipif(not BUILT.is_dir(), reason="the bridge is not compiled: run `make bridge`"),
]
