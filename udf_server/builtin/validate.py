"""VALIDATE: what is wrong with a row."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from udf_server.builtin.named import refusal
from udf_server.context import Context
from udf_server.errors import ModelError
from udf_server.function import RowError, function
from udf_server.memory.packing import pack, unpack

SPACE: Final = "validate"
_RESULT: Final = "ARRAY<STRUCT<FIELD VARCHAR, KIND VARCHAR, MESSAGE VARCHAR>>"
_REMEMBERED: Final = 100_000  # latest values of a unique field
_MARK: Final = 8  # bytes kept of a value's hash


def _answer(problems: Sequence[Any]) -> list[dict[str, str]]:
    return [{"FIELD": p.field, "KIND": p.kind, "MESSAGE": p.message} for p in problems]


@function(
    f"VALIDATE(row STRUCT< >, model VARCHAR) -> {_RESULT}",
    context=True,
    deterministic=False,
    batch_limit=5000,
    timeout=30.0,
    example="SELECT ID, VALIDATE(STRUCT(ID := ID, AGE := AGE), 'customers') AS PROBLEMS FROM CUSTOMERS EMIT CHANGES;",
)
def validate(context: Context, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[Any]:
    """What is wrong with a row, an empty array for nothing: by a profile that was learned from good ones (`ksqlkit
    train NAME --from FILE --profile`), which knows missing and unknown fields, types, ranges, values, forms, what does
    not go together, and values that may not repeat but do (the latest 100,000 of each such field are remembered, so
    give each row once); or by rules, MAP('AGE' := 'required; whole; min=0; max=120', 'STATE' := 'one of=new|paid'), of
    required, number, whole, boolean, text, min=, max=, one of=, longest= and form=AA-99 (A a letter, 9 a digit)."""
    from udf_server.validate.profile import Profile, ProfileModel
    from udf_server.validate.rules import Problem

    profiles: dict[str, Profile | RowError] = {}
    for name in set(names):
        try:
            model = context.models.get(name)
            if not isinstance(model, ProfileModel):
                raise ModelError(f"model {name} is of kind {model.metadata.kind}, not profile")
            profiles[name] = model.profile
        except ModelError as error:
            profiles[name] = refusal(context, name, error)
    out: list[Any] = []
    with context.memory.transaction(SPACE) as space:
        seen: dict[str, dict[bytes, None]] = {}
        for row, name in zip(rows, names, strict=True):
            profile = profiles[name]
            if isinstance(profile, RowError):
                out.append(profile)
                continue
            problems = profile.problems(row)
            given = {field.upper(): value for field, value in row.items()}
            for field in profile.unique:
                if given.get(field) is None:
                    continue
                marks = seen.setdefault(f"{name}/{field}", _known(space.get(f"{name}/{field}")))
                mark = hashlib.blake2b(str(given[field]).encode(), digest_size=_MARK).digest()
                if mark in marks:
                    problems.append(
                        Problem(field, "DUPLICATE", f"{field} {str(given[field])[:40]!r} was there before")
                    )
                marks[mark] = None
            out.append(_answer(problems))
        for key, marks in seen.items():
            space.put(key, _packed(marks))
    return out


@validate.overload(f"VALIDATE(row STRUCT< >, rules MAP<VARCHAR, VARCHAR>) -> {_RESULT}")
def _by_rules(
    context: Context,  # noqa: ARG001
    rows: Sequence[Mapping[str, Any]],
    rules: Sequence[Mapping[str, str | None]],
) -> list[Any]:
    from udf_server.validate.profile import Profile
    from udf_server.validate.rules import parse_rule

    out: list[Any] = []
    for row, given in zip(rows, rules, strict=True):
        try:
            profile = Profile({name.upper(): parse_rule(text or "") for name, text in given.items()})
            if profile.unique:
                raise ValueError("'unique' needs a learned profile, which remembers")
        except ValueError as error:
            out.append(RowError(str(error)))
        else:
            out.append(_answer(profile.problems(row)))
    return out


validate.overload(f"VALIDATE(row MAP<VARCHAR, VARCHAR>, model VARCHAR) -> {_RESULT}")(
    validate.overloads[0].body
)
validate.overload(f"VALIDATE(row MAP<VARCHAR, VARCHAR>, rules MAP<VARCHAR, VARCHAR>) -> {_RESULT}")(_by_rules)


def _known(content: bytes | None) -> dict[bytes, None]:
    if content is None:
        return {}
    joined = cast(bytes, unpack(content)["marks"].tobytes())
    return dict.fromkeys(joined[at : at + _MARK] for at in range(0, len(joined), _MARK))


def _packed(marks: Mapping[bytes, None]) -> bytes:
    import numpy as np

    return pack({"marks": np.frombuffer(b"".join(list(marks)[-_REMEMBERED:]), dtype=np.uint8)})
