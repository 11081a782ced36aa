"""python -m tests.run_on_wheel: the fast tests against the installed wheel, not against the checkout.

The tests are copied to a folder of their own, so that the packages beside them cannot be imported.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Returns pytest's exit code; 1 if the packages would come from the checkout."""
    with tempfile.TemporaryDirectory(prefix="ksqlkit-wheel-") as folder:
        for part in ("tests", "benchmarks"):
            shutil.copytree(ROOT / part, Path(folder) / part, ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("pyproject.toml", "CONTRIBUTING.md"):  # tests are made from the table of the house
            shutil.copy(ROOT / file, folder)
        clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        where = subprocess.run(
            [sys.executable, "-c", "import ksqlkit; print(ksqlkit.__file__)"],
            capture_output=True,
            text=True,
            cwd=folder,
            env=clean,
            check=True,
        ).stdout.strip()
        print(f"testing {where}")
        if Path(where).is_relative_to(ROOT) and "site-packages" not in where:
            return 1
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-m",
            "not slow and not conformance and not checkout",
        ]
        return subprocess.run([*command, "tests/unit", "tests/golden"], cwd=folder, env=clean).returncode


if __name__ == "__main__":
    sys.exit(main())
