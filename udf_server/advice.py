"""What is likely wrong with rows that are to be learned from, each with the numbers that say so and what to do.

Nothing here stops a training: columns that leak the label, say nothing or only name the row, raw times, classes too
small to be learned, rows too few, and rows that are learned and then asked again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from udf_server.evaluation import auc
from udf_server.frame import NUMBER, OTHER, WHOLE, WORD, Column, Frame
from udf_server.training import CALIBRATION_SHARE, FIT_SHARE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from udf_server.train_rows import Task

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]

SAMPLE: Final = 100_000  # rows looked at, evenly over all
ALONE: Final = 0.995  # the AUC from which one column is too good to be true
# Of the rows where a column has one value: the rarer class's share, how often its usual one that is, and how many rows.
PURE, LIFT, ENOUGH = 0.98, 10.0, 20
_LEVELS: Final = 20
_BINS: Final = 64
_FEWEST_ROWS: Final = 200
_SMALL_CLASS: Final = 10
_RATED: Final = 20  # rows of the rarer class that metrics should rest on
_MILLISECONDS: Final = (1e12, 4e12)  # 2001 to 2096
_CLOCK: Final = re.compile(r"(^|_)(ROWTIME|TIME|TS|TIMESTAMP|DATE|DATETIME|AT)($|_)")
_NAMES: Final = re.compile(r"(^|[_ ])(ID|UUID|GUID|KEY)$")


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing found: its `kind`, the `column` or None, what was seen in words and as `evidence`, and what to do."""

    kind: str
    column: str | None
    text: str
    do: str
    evidence: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.text}. {self.do}"


def advise(frame: Frame, task: Task) -> list[Advice]:
    """What is likely wrong with the rows for the task; nothing for labels that cannot be learned at all, which training
    refuses, and for tasks without a label."""
    import numpy as np

    from udf_server.train_rows import card_rows, feature_names, without

    if task.label is None or not {task.label, task.text or task.label, *task.drop} <= set(frame.columns):
        return []
    frame = without(frame, task)
    label = frame[task.label]
    if label.kind == OTHER or not len(label) or label.missing.any():
        return []
    target = _Target.of(task.label, label, task.recipe.task)
    if target is None:
        return []
    if task.text:
        return [*_of_classes(target), *_of_texts(frame, task.text, target)]
    if card_rows(frame, task):
        return list(_of_classes(target))
    features = [f for f in feature_names(frame, task) if f in frame.columns and frame[f].kind != OTHER]
    found = [*_of_classes(target), *_of_rows(len(frame), len(features))]
    with np.errstate(over="ignore"):  # a column may go from -1e308 to 1e308
        for name in features:
            found += _of_column(name, frame[name], target)
    named = {advice.column for advice in found}
    return found + _repeated(frame.only(f for f in features if f not in named), target)


@dataclass(frozen=True, slots=True)
class _Target:
    """The label as numbers: 0 and 1, class numbers with their names, or values (no `classes`)."""

    name: str
    values: Floats
    classes: tuple[str, ...]

    @classmethod
    def of(cls, name: str, column: Column, task: str | None) -> _Target | None:
        import numpy as np

        values = column.numbers(column.words)
        distinct, places = np.unique(values, return_inverse=True)
        if len(distinct) < 2:
            return None
        if column.kind == WORD or task == "classes" or len(distinct) == 2:
            plain = (
                Column(column.kind, distinct)
                if column.kind != WORD
                else [column.words[int(d)] for d in distinct]
            )
            return cls(name, places.astype(np.float64), tuple(map(str, plain)))
        return cls(name, values, ())

    @property
    def binary(self) -> bool:
        """Whether there are two classes."""
        return len(self.classes) == 2


def _of_rows(rows: int, features: int) -> Iterator[Advice]:
    if rows < max(_FEWEST_ROWS, 10 * features):
        held = rows - int(rows * (FIT_SHARE + CALIBRATION_SHARE))
        yield Advice(
            "few rows",
            None,
            f"{rows} rows for {features} columns are few, and the metrics are of {held} of them",
            "Take them for a rough guess, or give more rows",
            {"rows": rows, "columns": features, "evaluated": held},
        )


def _of_classes(target: _Target) -> Iterator[Advice]:
    """Classes that are too small to be learned, or to be measured."""
    import numpy as np

    if not target.classes:
        return
    counts = np.bincount(target.values.astype(np.int64), minlength=len(target.classes))
    small = [(int(n), c) for n, c in zip(counts, target.classes, strict=True) if n < _SMALL_CLASS]
    if small:
        shown = ", ".join(f"{c} {n}" for n, c in sorted(small)[:5]) + (" ..." if len(small) > 5 else "")
        yield Advice(
            "small class",
            target.name,
            f"{len(small)} of {len(target.classes)} classes of {target.name} have under {_SMALL_CLASS} rows: {shown}",
            "Give more rows of them, or put them together",
            {"classes": len(small), "smallest": min(small)[0]},
        )
    elif target.binary:
        rare = int(counts.argmin())
        held = target.values[int(len(target.values) * (FIT_SHARE + CALIBRATION_SHARE)) :]
        rated = int((held == rare).sum())
        if rated < _RATED:
            yield Advice(
                "small class",
                target.name,
                f"the metrics rest on {rated} rows of {len(held)} where {target.name} is {target.classes[rare]}",
                "Give rows over a longer time before they are relied on",
                {"rows": rated, "evaluated": len(held)},
            )
    share = counts.max() / counts.sum()
    if len(target.classes) > 2 and share > 0.95:
        often = target.classes[int(counts.argmax())]
        yield Advice(
            "imbalance",
            target.name,
            f"{share:.1%} of the rows are of class {often}: always saying that has an accuracy of {share:.3f}",
            "Judge by macro_f1",
            {"share": float(share)},
        )


def _of_column(name: str, column: Column, target: _Target) -> list[Advice]:
    """The first thing that is wrong with a feature, the worst first."""
    import numpy as np

    rows = (
        np.unique(np.linspace(0, len(column) - 1, SAMPLE).astype(np.int64)) if len(column) > SAMPLE else None
    )
    part = column if rows is None else Column(column.kind, np.asarray(column.values)[rows], column.words)
    values = part.numbers(part.words)
    there = ~np.isnan(values)
    distinct = len(np.unique(values[there]))
    drop = f"--drop {name}" if re.fullmatch(r"\w+", name) else f"--drop '{name}'"
    if distinct + (not there.all()) < 2:
        whole = column.numbers(column.words)
        if np.nanmin(whole, initial=np.inf) >= np.nanmax(whole, initial=-np.inf):
            what = "has no value" if not distinct else f"is {next(v for v in part if v is not None)}"
            text = f"{name} {what} in all {len(column)} rows and teaches nothing"
            return [Advice("constant", name, text, f"Leave it out: {drop}", {"rows": len(column)})]
    truth = target.values if rows is None else target.values[rows]
    found = _time(name, part, values[there], drop) or _identity(
        name, part, values[there], distinct, column, drop
    )
    if found:  # and no leak: what names the row or the time may tell the label by the order of the rows alone
        return found
    if leak := _leak(name, part, values, truth, target):
        do = f"If it is only known once {target.name} is, leave it out: {drop}"
        return [Advice("leak", name, leak[0], do, leak[1])]
    return _clock(name, values[there], distinct, drop)


def _time(name: str, column: Column, values: Floats, drop: str) -> list[Advice]:
    """A date, or a time in milliseconds."""
    do = f"Make hours, weekdays or durations of it in SQL, or leave it out: {drop}"
    if column.kind == WORD:
        words = column.words[:: max(len(column.words) // 200, 1)]
        dates = sum(map(_is_date, words))
        if dates < 0.95 * len(words):
            return []
        text = f"{name} holds dates such as {words[0]}, which a model only takes for so many words"
        return [Advice("date", name, text, do, {"values": len(column.words)})]
    low, high = _MILLISECONDS
    if column.kind == WHOLE and len(values) and low <= values.min() and values.max() <= high:
        day = datetime.fromtimestamp(values.min() / 1000).date()
        text = (
            f"{name} holds times in milliseconds from {day} on: those to come lie above all that is learned"
        )
        return [Advice("date", name, text, do, {"from": float(values.min()), "to": float(values.max())})]
    return []


def _is_date(text: str) -> bool:
    if len(text) < 8 or not text[:4].isdigit() or "-" not in text[4:8]:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _identity(
    name: str, column: Column, values: Floats, distinct: int, whole: Column, drop: str
) -> list[Advice]:
    """What names a row or a thing instead of telling of it."""
    import numpy as np

    if len(values) < 50:
        return []
    evidence: dict[str, float] = {"values": distinct, "rows": len(values)}
    if column.kind == WORD and distinct > 0.5 * len(values):
        length = sum(map(len, column.words)) / len(column.words)
        if length > 20 and any(" " in word for word in column.words[:100]):
            text, do = (
                f"{name} holds texts, {length:.0f} signs on average",
                f"Learn from texts by --text {name}",
            )
            return [
                Advice("text", name, text, f"{do}, or leave it out: {drop}", {**evidence, "length": length})
            ]
        text = (
            f"{name} has {distinct} words in {len(values)} rows: it names rows, and tells nothing of new ones"
        )
        return [Advice("identifier", name, text, f"Leave it out: {drop}", evidence)]
    if column.kind == WHOLE and distinct == len(values):
        given = whole.numbers()
        given = given[~np.isnan(given)]
        if given.max() - given.min() < 3.0 * len(given) and len(np.unique(given)) == len(given):
            text = f"{name} numbers the rows: {len(given)} values in {len(given)} rows, none twice"
            evidence = {"values": len(given), "rows": len(given)}
            return [Advice("identifier", name, text, f"Leave it out: {drop}", evidence)]
    if column.kind in (WHOLE, WORD) and distinct >= 50 and _NAMES.search(name):
        kind = "words" if column.kind == WORD else "numbers"
        text = f"{name} has {distinct} {kind} that name something: a model learns those by heart"
        do = f"Give what is known of each, or leave it out: {drop}"
        return [Advice("identifier", name, text, do, evidence)]
    return []


def _clock(name: str, values: Floats, distinct: int, drop: str) -> list[Advice]:
    """A number that only rises from row to row."""
    import numpy as np

    if len(values) < 50 or distinct < 10 or (np.diff(values) < 0).any():
        return []
    text = f"{name} only rises from row to row: what comes lies above all that is learned"
    do = f"If it is a clock, leave it out: {drop}; if the rows are sorted by it, sort them by time"
    if _CLOCK.search(name):
        do = f"Make hours, weekdays or durations of it in SQL, or leave it out: {drop}"
    return [Advice("clock", name, text, do, {"from": float(values[0]), "to": float(values[-1])})]


def _leak(
    name: str, column: Column, values: Floats, truth: Floats, target: _Target
) -> tuple[str, dict[str, float]] | None:
    """How one column alone tells the label, learned on the first rows and asked of the later ones."""
    import numpy as np

    cut = int(len(values) * FIT_SHARE)
    if not target.classes:
        far = np.isfinite(values[cut:])
        first, second = (np.argsort(np.argsort(v[cut:][far])) for v in (values, truth))
        if far.sum() < _RATED or not np.ptp(values[cut:][far]) or not np.ptp(truth[cut:][far]):
            return None
        likeness = abs(float(np.corrcoef(first, second)[0, 1]))
        said = f"{name} alone tells {target.name}: their ranks agree by {likeness:.4f} on the last {far.sum()} rows"
        return (said, {"rank_correlation": likeness, "rows": int(far.sum())}) if likeness >= 0.999 else None
    places, levels = _levels(values, cut)
    classes = len(target.classes)
    seen = np.zeros((levels, classes))
    np.add.at(seen, (places[:cut], truth[:cut].astype(np.int64)), 1.0)
    later, asked = places[cut:], truth[cut:]
    if target.binary:
        rates = (seen[:, 1] + seen[:, 1].sum() / cut) / (seen.sum(axis=1) + 1.0)
        both = min(asked.sum(), len(asked) - asked.sum())
        reached = auc(asked, rates[later]) if both >= _SMALL_CLASS else 0.0
        if reached >= ALONE:
            said = f"{name} alone tells {target.name}: AUC {reached:.4f} on the last {len(asked)} rows"
            return said, {"auc": reached, "rows": len(asked)}
        return _pure_level(name, column, values, truth, target)
    usual = np.bincount(asked.astype(np.int64)).max() / len(asked)
    right = float((seen.argmax(axis=1)[later] == asked).mean())
    said = f"{name} alone tells {target.name}: right for {right:.2%} of the last {len(asked)} rows"
    return (said, {"accuracy": right, "rows": len(asked)}) if right >= 0.99 and usual <= 0.9 else None


def _pure_level(
    name: str, column: Column, values: Floats, truth: Floats, target: _Target
) -> tuple[str, dict[str, float]] | None:
    """A value, or no value, with which a rare class always comes."""
    import numpy as np

    there = ~np.isnan(values)
    known = np.unique(values[there])
    rare = float(truth.mean() < 0.5)
    usual = float((truth == rare).mean())
    levels: list[tuple[Any, Any]] = [(None, ~there)] if len(known) > 1 else []
    levels += [(level, values == level) for level in known] if len(known) <= _LEVELS else []
    levels += [("a value", there)] if len(known) > _LEVELS else []
    for level, rows in levels:
        count = int(rows.sum())
        share = float((truth[rows] == rare).mean()) if count else 0.0
        if count >= ENOUGH and share >= PURE and share >= LIFT * usual:
            shown = "there" if level == "a value" else "missing" if level is None else _plain(column, level)
            what = f"{target.name} is {target.classes[int(rare)]}"
            said = (
                f"where {name} is {shown}, {what} in {share:.1%} of {count} rows, against {usual:.1%} of all"
            )
            return said, {"share": share, "rows": count, "usual": usual}
    return None


def _plain(column: Column, level: float) -> str:
    import numpy as np

    return (
        column.words[int(level)]
        if column.kind == WORD
        else str(next(iter(Column(column.kind, np.array([level])))))
    )


def _levels(values: Floats, cut: int) -> tuple[Places, int]:
    """Each row's place among a column's values, or among bins at the quantiles of the first rows; the last is for
    missing ones."""
    import numpy as np

    there = values[:cut][~np.isnan(values[:cut])]
    edges = np.unique(there)
    if len(edges) > 4 * _BINS:
        edges = np.unique(np.quantile(there, np.linspace(0, 1, _BINS + 1)[1:-1], method="lower"))
    places = np.searchsorted(edges, values)
    places[np.isnan(values)] = len(edges) + 1
    return places, len(edges) + 2


def _repeated(frame: Frame, target: _Target) -> list[Advice]:
    """Evaluated rows that were learned too. Rows of a few flags are alike by nature: one column must be continuous."""
    import numpy as np

    rows = len(target.values)
    step = max(rows // SAMPLE, 1)
    columns = [c.numbers(c.words) for c in frame.columns.values()]
    kinds = [c.kind for c in frame.columns.values()]
    fine = any(
        k in (NUMBER, WHOLE) and len(np.unique(c[::step])) > 0.2 * len(c[::step])
        for c, k in zip(columns, kinds, strict=True)
    )
    if not fine or len(columns) < 2:
        return []
    mark = np.zeros(rows, dtype=np.uint64)
    for values in (*columns, target.values):
        bits = (values + 0.0).view(np.uint64)  # no negative zero
        mark = (mark ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        mark ^= mark >> np.uint64(29)
    held = int(rows * (FIT_SHARE + CALIBRATION_SHARE))
    learned = np.sort(mark[:held])
    again = learned[np.minimum(np.searchsorted(learned, mark[held:]), held - 1)] == mark[held:]
    share = float(again.mean()) if len(again) else 0.0
    if share < 0.02:
        return []
    text = (
        f"{again.sum()} of the {len(again)} evaluated rows ({share:.0%}) are equal to rows that were learned"
    )
    do = "The metrics flatter: give each row once"
    return [Advice("repeated rows", None, text, do, {"share": share, "rows": int(again.sum())})]


def _of_texts(frame: Frame, text: str, target: _Target) -> list[Advice]:
    """Texts that come again, with the same label or another."""
    import numpy as np

    column = frame[text]
    if column.kind != WORD:
        return []
    codes = np.asarray(column.values, dtype=np.int64)
    pairs, counts = np.unique(
        np.column_stack((codes, target.values.astype(np.int64))), axis=0, return_counts=True
    )
    several = len(pairs) - len(np.unique(pairs[:, 0]))
    again = float((counts - 1).sum() / len(codes))
    found = []
    if again > 0.05:
        said = f"{again:.0%} of the texts of {text} came before with the same label"
        do = "The metrics flatter: give each text once"
        found.append(Advice("repeated rows", text, said, do, {"share": again}))
    if several > 0.01 * len(pairs):
        said = f"{several} texts of {text} have several labels"
        do = "Decide which is right: no model can tell"
        found.append(Advice("several labels", text, said, do, {"texts": several}))
    return found


def messages(found: Sequence[Advice]) -> list[dict[str, Any]]:
    """As `ksqlkit train --json` has them."""
    return [
        {"kind": a.kind, "column": a.column, "message": a.text, "do": a.do, "evidence": dict(a.evidence)}
        for a in found
    ]
