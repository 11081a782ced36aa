"""python -m tests.check_lock: the lock file satisfies pyproject.toml, every line has a hash, and it names no index."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def problems() -> list[str]:
    """What is wrong, in words."""
    text = (ROOT / "requirements.lock").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [Requirement(r) for r in project["dependencies"]]
    wanted += [Requirement(r) for extra in project["optional-dependencies"].values() for r in extra]
    locked: dict[str, str] = {}
    found = []
    for entry in re.findall(r"^(\S+==\S+.*(?:\n    .*)*)", text, re.MULTILINE):
        pin = Requirement(entry.partition("\\")[0].strip())
        if "--hash=sha256:" not in entry:
            found.append(f"{pin.name} has no hash")
        if pin.marker is None or pin.marker.evaluate(dict(default_environment())):
            locked[canonicalize_name(pin.name)] = next(iter(pin.specifier)).version
    for requirement in wanted:
        version = locked.get(canonicalize_name(requirement.name))
        if version is None:
            found.append(f"{requirement.name} is not locked")
        elif not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{requirement.name} is locked at {version}, which {requirement.specifier} excludes")
    if re.search(r"https?://", text):
        found.append("an address of an index stands in the lock file")
    return found


if __name__ == "__main__":
    for problem in problems():
        print(f"requirements.lock: {problem}; run `make lock`", file=sys.stderr)
    sys.exit(1 if problems() else 0)
