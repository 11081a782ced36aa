"""`python -m benchmarks.accuracy [--test DIR] [SET ...]`: measure, print, and write build/accuracy.json.

With `--test`, or where ACCURACY_DATA has no training part of a set, models are trained on the shown part alone and the
files there are scored.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from benchmarks.accuracy.registry import SHOWN, Measure, Score, data_folder, find_sets

OUTPUT = Path(__file__).resolve().parents[2] / "build" / "accuracy.json"


def main(names: list[str]) -> int:
    """Measure the named sets, or all; results of others stay in the file. Returns the exit code."""
    if "--test" in names:
        at = names.index("--test")
        if at + 1 == len(names):
            print("--test takes a folder of test files", file=sys.stderr)
            return 2
        os.environ["ACCURACY_TEST"] = names[at + 1]
        names = names[:at] + names[at + 2 :]
    sets = find_sets()
    unknown = [n for n in names if n not in sets]
    if unknown:
        print(f"No set {', '.join(unknown)}; there are: {', '.join(sets)}", file=sys.stderr)
        return 2
    folder = data_folder()
    if not folder.is_dir():
        print(f"No data at {folder}; set ACCURACY_DATA", file=sys.stderr)
        return 1
    chosen = names or list(sets)
    kept = [s for s in orjson.loads(OUTPUT.read_bytes()) if s["set"] not in chosen] if OUTPUT.exists() else []
    scores: list[dict[str, Any]] = []
    missing = False
    for name in chosen:
        start = time.perf_counter()
        try:
            found = _measure(sets[name], folder)
        except FileNotFoundError as error:
            missing = True
            print(f"{name}: not measured: {error}", file=sys.stderr)
            continue
        seconds = time.perf_counter() - start
        for score in found:
            beside = "" if score.published is None else f"  published {score.published:g}"
            print(f"{score.set:12} {score.metric:28} {score.value:10.4f}{beside}", flush=True)
        scores += [asdict(s) | {"seconds": round(seconds, 1)} for s in found]
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_bytes(orjson.dumps(kept + scores, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return int(missing)


def _measure(measure: Measure, folder: Path) -> list[Score]:
    """A set's scores. Raises FileNotFoundError where neither the folder nor the shown part has what it takes."""
    try:
        return measure(folder)
    except FileNotFoundError:
        if "ACCURACY_TEST" in os.environ or not SHOWN.is_dir():
            raise
    os.environ["ACCURACY_TEST"] = str(folder)
    try:
        return measure(SHOWN)
    finally:
        del os.environ["ACCURACY_TEST"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
