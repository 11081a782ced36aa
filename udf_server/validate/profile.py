"""A profile: the rules of all fields of a kind of rows, and how fields go together; learned from rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import TYPE_CHECKING, Any, Final

import orjson

from ksqlkit.errors import DataError
from udf_server.errors import ModelError
from udf_server.models.store import Metadata, ModelStore
from udf_server.validate.rules import FieldRule, Problem, _number, shape, short

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FEWEST: Final = 50
_MARGIN: Final = 0.5  # of the middle 90 %'s width, that values may go past those seen
_MOST_VALUES: Final = 30
_MOST_PAIRS: Final = 40  # fields compared with each other


@dataclass(frozen=True)
class Profile:
    """Rules by field (names in upper case); `ordered` are pairs whose first is never above the second; `implied` maps
    (field, other) to what the other is for each value of the field."""

    fields: Mapping[str, FieldRule]
    ordered: Sequence[tuple[str, str]] = ()
    implied: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    closed: bool = False  # whether other fields are unknown

    def problems(self, row: Mapping[str, Any]) -> list[Problem]:
        """What is wrong with a row, uniqueness aside. Field names in any case."""
        given = {name.upper(): value for name, value in row.items()}
        found = [p for name, rule in self.fields.items() for p in rule.problems(name, given.get(name))]
        if self.closed:
            unknown = sorted(given.keys() - self.fields.keys())
            found += [
                Problem(name, "UNKNOWN_FIELD", f"{short(name)} is not among the fields") for name in unknown
            ]
        for low, high in self.ordered:
            a, b = _number(given.get(low)), _number(given.get(high))
            if a is not None and b is not None and a > b:
                found.append(Problem(low, "INCONSISTENT", f"{low} is {a:g}, above {high}, which is {b:g}"))
        for (name, other), values in self.implied.items():
            wanted = values.get(str(given.get(name)))
            if wanted is not None and given.get(other) is not None and str(given[other]) != wanted:
                message = f"{other} is {given[other]!r}, but {wanted!r} where {name} is {given[name]!r}"
                found.append(Problem(other, "INCONSISTENT", message))
        return found

    @property
    def unique(self) -> list[str]:
        """Fields whose values may not repeat."""
        return [name for name, rule in self.fields.items() if rule.unique]

    def to_json(self) -> bytes:
        """For the store."""
        implied = [[*pair, dict(values)] for pair, values in self.implied.items()]
        fields = {name: rule.as_dict() for name, rule in self.fields.items()}
        return orjson.dumps(
            {"fields": fields, "ordered": self.ordered, "implied": implied, "closed": self.closed}
        )

    @classmethod
    def of_json(cls, content: bytes) -> Profile:
        """What `to_json` gave; raises ValueError or KeyError for anything else."""
        raw = orjson.loads(content)
        return cls(
            {name: FieldRule.of_dict(rule) for name, rule in raw["fields"].items()},
            [(low, high) for low, high in raw["ordered"]],
            {(name, other): values for name, other, values in raw["implied"]},
            raw["closed"],
        )


class ProfileModel:
    """A profile in the registry."""

    def __init__(self, metadata: Metadata, content: bytes) -> None:
        self.metadata = metadata
        self.profile = Profile.of_json(content)

    def predict(self, matrix: Floats) -> Floats:  # noqa: ARG002
        """Not a model of rows of numbers."""
        raise ModelError(f"model {self.metadata.name} is a profile: ask VALIDATE")

    probabilities = predict

    def attributions(self, matrix: Floats, exact: bool = False) -> Floats:  # noqa: ARG002
        """Not a model of rows of numbers."""
        return self.predict(matrix)


def learn_profile(rows: Sequence[Mapping[str, Any]]) -> Profile:
    """The profile of rows that are taken as good; raises DataError for fewer than 50."""
    if len(rows) < _FEWEST:
        raise DataError(f"{len(rows)} rows are too few to learn a profile", hint=f"Give at least {_FEWEST}.")
    columns: dict[str, list[Any]] = {}
    for at, row in enumerate(rows):
        for name, value in row.items():
            columns.setdefault(name.upper(), [None] * len(rows))[at] = value
    fields = {name: _rule(values) for name, values in columns.items()}
    return Profile(fields, _ordered(columns, fields), _implied(columns, fields), closed=True)


def train_profile(
    rows: Sequence[Mapping[str, Any]],
    store: ModelStore,
    name: str,
    *,
    promote: bool = True,
    description: str = "",
) -> Metadata:
    """Learn a profile from the first 85 % of the rows and publish it; the metric is the share of the last 15 %, all
    taken as good, in which it finds a problem."""
    cut = int(len(rows) * 0.85)
    profile = learn_profile(rows[:cut])
    wrong = sum(bool(profile.problems(row)) for row in rows[cut:])
    return store.publish(
        name,
        profile.to_json(),
        kind="profile",
        file="profile.json",
        features=tuple(profile.fields),
        metrics={"flagged": wrong / max(len(rows) - cut, 1)},
        training_data={"description": description, "rows": len(rows)},
        promote=promote,
    )


def _rule(values: Sequence[Any]) -> FieldRule:
    known = [v for v in values if v is not None]
    required = len(known) == len(values)
    if not known:
        return FieldRule()
    if all(isinstance(v, bool) for v in known):
        return FieldRule(required, "boolean")
    distinct = Counter(map(str, known))
    unique = required and len(distinct) == len(known)
    numbers = [n for v in known if not isinstance(v, str) and (n := _number(v)) is not None]
    if len(numbers) == len(known):
        whole = all(n.is_integer() for n in numbers)
        kind = "whole" if whole else "number"
        if unique and whole:
            return FieldRule(required, kind, unique=True)  # an identity: its numbers run on
        ordered = sorted(numbers)
        width = ordered[int(0.95 * (len(ordered) - 1))] - ordered[int(0.05 * (len(ordered) - 1))]
        low, high = ordered[0] - _MARGIN * width, ordered[-1] + _MARGIN * width
        if ordered[0] >= 0:
            low = max(low, 0.0)
        return FieldRule(required, kind, low, high)
    texts = [str(v) for v in known]
    # Few values that each come often are a closed set; one form of all texts is a rule.
    closed = len(distinct) <= _MOST_VALUES and len(known) >= 10 * len(distinct)
    shapes = {shape(t) for t in texts}
    one_form = len(shapes) == 1 and len(texts[0]) <= 40 and not closed
    longest = None if one_form or closed else 2 * max(map(len, texts))
    return FieldRule(
        required,
        "text" if all(isinstance(v, str) for v in known) else None,
        values=tuple(sorted(distinct)) if closed else (),
        pattern=shapes.pop() if one_form else None,
        longest=longest,
        unique=unique,
    )


def _ordered(columns: Mapping[str, Sequence[Any]], fields: Mapping[str, FieldRule]) -> list[tuple[str, str]]:
    """Pairs of numbers whose ranges overlap and whose first was never above the second."""
    numeric = [n for n, rule in fields.items() if rule.kind in ("number", "whole") and not rule.unique][
        :_MOST_PAIRS
    ]
    values = {n: [_number(v) for v in columns[n]] for n in numeric}
    spans = {
        n: (min(v for v in c if v is not None), max(v for v in c if v is not None)) for n, c in values.items()
    }
    found = []
    for low, high in permutations(numeric, 2):
        both = [
            (a, b) for a, b in zip(values[low], values[high], strict=True) if a is not None and b is not None
        ]
        overlap = min(spans[low][1], spans[high][1]) - max(spans[low][0], spans[high][0])
        wide = overlap > 0.5 * (spans[low][1] - spans[low][0]) > 0
        if wide and len(both) >= _FEWEST and all(a <= b for a, b in both) and any(a < b for a, b in both):
            found.append((low, high))
    return found


def _implied(
    columns: Mapping[str, Sequence[Any]], fields: Mapping[str, FieldRule]
) -> dict[tuple[str, str], dict[str, str]]:
    """Pairs of fields of closed sets where each value of the first always came with one of the second."""
    closed = [name for name, rule in fields.items() if rule.values][:_MOST_PAIRS]
    found = {}
    for name, other in permutations(closed, 2):
        together: dict[str, set[str]] = {}
        counts: Counter[str] = Counter()
        for a, b in zip(columns[name], columns[other], strict=True):
            if a is not None and b is not None:
                together.setdefault(str(a), set()).add(str(b))
                counts[str(a)] += 1
        if (
            len(fields[other].values) > 1
            and all(len(v) == 1 for v in together.values())
            and min(counts.values()) >= 5
        ):
            found[name, other] = {a: next(iter(v)) for a, v in together.items()}
    return found
