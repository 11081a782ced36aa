"""`forecasts/*.toml`: one forecast each, read, checked, frozen. Unknown keys are errors that name the key."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from forecasts.cron import STALE, parse_cron
from forecasts.models.base import NAMES, is_model
from ksqlkit.errors import Location, ProjectError
from ksqlkit.files import read_text

MODELS = NAMES
DEFAULT_MODELS = ("theta", "holt_winters", "autoregression", "direct", "xgboost")
CALENDAR = ("hour", "weekday", "weekend", "month")
UNITS = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000, "week": 604_800_000}
_DAY = 86_400_000
# steps from and to which a cycle of the calendar counts, and its length; all in milliseconds
CYCLES = (
    (60_000, 12 * 3_600_000, _DAY),
    (600_000, _DAY, 7 * _DAY),
    (7 * _DAY, 7 * _DAY, 364 * _DAY),
)
LONGEST = 10_000  # steps of a horizon
HINTS = {
    "models": f"Models: {', '.join(MODELS)}, and stl+ before any other.",
    "gaps": "zero or interpolate.",
    "calendar": f"Of {', '.join(CALENDAR)}.",
    "levels": "Percents between 0 and 100, such as [80, 95].",
    "seasons": "Lengths in steps, such as [24, 168].",
    "horizon": f"Steps, 1 to {LONGEST}.",
    "series": 'Names of columns, such as ["SHOP"].',
    "drift": "How many times the backtest's error a forecast may have, above 1.",
}


@dataclass(frozen=True, slots=True)
class Spec:
    """One forecast.

    `source` is a table that SQL keeps; `series` its columns that name a series and `types` their SQL types (STRING
    where not given); `time` is the column with the step's start (milliseconds; WINDOWSTART for windowed tables) and
    `value` what is forecast. `frequency` is the step's length ("hour", "15 minutes"), found from the data if None.
    `seasons` and `horizon` are in steps; seasons not given are those of the
    calendar. `levels` are interval levels in percent. `gaps` says
    what a missing step means: "zero" or "interpolate". `minimum` is the least number of steps a series needs; `window`
    limits how many of the last steps models see. `schedule` is cron (UTC) or "when stale". Models are fitted anew when
    the last fit is older than `refit`, or a forecast's error is `drift` times its backtest's; between, they are only
    shown what is new. With `totals`, sums over the series columns, general one first, are forecast too and all is made
    to add up. `calendar`, source columns known ahead (`regressors`) and source columns as they were a horizon ago
    (`lagged`) are regressors of xgboost, sarimax and unobserved.
    """

    name: str
    source: str
    series: tuple[str, ...]
    value: str
    target: str
    types: tuple[str, ...] = ()
    time: str = "WINDOWSTART"
    where: str | None = None
    frequency: str | None = None
    seasons: tuple[int, ...] = ()
    horizon: int = 24
    levels: tuple[int, ...] = (80, 95)
    models: tuple[str, ...] = DEFAULT_MODELS
    folds: int = 8
    gaps: str = "interpolate"
    minimum: int = 20
    window: int = 4_000
    schedule: str | None = None
    refit: str = "week"
    totals: bool = False
    calendar: tuple[str, ...] = ()
    regressors: tuple[str, ...] = ()
    lagged: tuple[str, ...] = ()
    drift: float = 1.5

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """Series columns with their SQL types."""
        types = self.types or ("STRING",) * len(self.series)
        return tuple(zip(self.series, types, strict=True))

    def seasons_for(self, step: int) -> tuple[int, ...]:
        """Seasons in steps, ascending: those given, or what a step of so many milliseconds implies."""
        if self.seasons:
            return tuple(sorted(self.seasons))
        found = {length // step for shortest, longest, length in CYCLES if shortest <= step <= longest}
        return tuple(sorted(n for n in found if n > 1)) or (1,)

    @property
    def step(self) -> int | None:
        """Milliseconds of a step, or None if it is to be found from the data."""
        return None if self.frequency is None else parse_frequency(self.frequency)


def parse_frequency(text: str) -> int:
    """ "hour" or "15 minutes" in milliseconds. Raises ProjectError."""
    words = text.lower().split()
    count, unit = (words[0], words[1]) if len(words) == 2 else ("1", words[0] if words else "")
    size = UNITS.get(unit.rstrip("s")) or UNITS.get(unit.removesuffix("ly"))
    if not size or not count.isdigit() or int(count) == 0:
        raise ProjectError(f"{text!r} is not a frequency", hint="Write hour, day, week or, say, 15 minutes.")
    return int(count) * size


def load_spec(path: Path) -> Spec:
    """Read one file. Raises ProjectError naming the key and its line, UserError for a file that is no text."""
    try:
        text = read_text(path)
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ProjectError(f"Not valid TOML: {exc}", location=Location(str(path))) from exc
    known = {f.name: f for f in fields(Spec) if f.name != "name"}
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
            raise _error(f"Unknown key {key!r}", path, text, key, hint)
    for key in ("source", "series", "value", "target"):
        if key not in data:
            raise _error(f"The forecast needs {key!r}", path, text, "", None)
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    for key, value in given.items():
        _check(key, value, path, text)
    if data.get("totals") and any(t != "STRING" for t in data.get("types", ())):
        hint = 'A total has "*" for a name.'
        raise _error("'totals' needs series columns of type STRING", path, text, "totals", hint)
    if data.get("totals") and (data.get("regressors") or data.get("lagged")):
        hint = "A total has no row in the source."
        raise _error("'totals' and columns as regressors do not go together", path, text, "totals", hint)
    if len(given.get("types", given["series"])) != len(given["series"]):
        raise _error("'types' needs one SQL type per column of 'series'", path, text, "types", None)
    return Spec(name=path.stem, **given)  # type: ignore[arg-type]


def load_specs(folder: Path) -> dict[str, Spec]:
    """All forecasts of a folder, by name."""
    paths = sorted(p for p in folder.glob("*.toml") if not p.name.startswith(".")) if folder.is_dir() else []
    return {p.stem: load_spec(p) for p in paths}


def _check(key: str, value: Any, path: Path, text: str) -> None:
    def listed(kind: type, good: Callable[[Any], bool] = lambda _: True, least: int = 0) -> bool:
        """A list of at least so many different values of a kind that are good."""
        if not isinstance(value, tuple) or not all(type(v) is kind and good(v) for v in value):
            return False
        return least <= len(value) == len(set(value))

    positive = type(value) is int and value > 0
    ok = {
        "series": listed(str, bool),
        "types": isinstance(value, tuple) and all(isinstance(v, str) for v in value),
        "seasons": listed(int, lambda v: v > 0, least=1),
        "levels": listed(int, lambda v: 0 < v < 100, least=1),
        "models": listed(str, is_model, least=1),
        "totals": isinstance(value, bool),
        "calendar": listed(str, CALENDAR.__contains__),
        "regressors": listed(str, bool),
        "lagged": listed(str, bool),
        "gaps": value in ("zero", "interpolate"),
        "drift": type(value) in (int, float) and value > 1,
        "horizon": positive and value <= LONGEST,
        "folds": positive,
        "minimum": positive,
        "window": positive,
    }.get(key, isinstance(value, str) and bool(value))
    if not ok:
        shown = list(value) if isinstance(value, tuple) else value
        raise _error(f"{key!r} cannot be {shown!r}", path, text, key, HINTS.get(key))
    try:
        if key in ("frequency", "refit"):
            parse_frequency(value)
        if key == "schedule" and value != STALE:
            parse_cron(value)
    except ProjectError as exc:
        raise _error(exc.message, path, text, key, exc.hint) from None


def _error(message: str, path: Path, text: str, word: str, hint: str | None) -> ProjectError:
    for number, line in enumerate(text.splitlines(), 1):
        if word and line.lstrip().startswith(word):
            return ProjectError(
                message, location=Location(str(path), number, line.index(word) + 1, line), hint=hint
            )
    return ProjectError(message, location=Location(str(path)), hint=hint)
