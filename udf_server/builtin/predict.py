"""PREDICT, PREDICT_PROBA, PREDICT_LABEL and EXPLAIN: any registered model by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from udf_server.builtin.named import refusal
from udf_server.context import Context
from udf_server.errors import ModelError
from udf_server.function import RowError, function
from udf_server.models.loaded import LoadedModel
from udf_server.rows import checked_matrix, matrix_of

_Answer = Callable[[LoadedModel, Any], list[Any]]


def _by_model(
    context: Context, names: Sequence[Any], columns: Sequence[Sequence[Any]], answer: _Answer
) -> list[Any]:
    """Rows of columns, or of one column of dicts, each by its own model."""

    def features(model: LoadedModel, rows: list[int]) -> Any:
        given = [[column[row] for row in rows] for column in columns]
        if len(given) == 1 and not any(isinstance(v, int | float) for v in given[0]):
            given = [[value or {} for value in given[0]]]  # dicts, or NULLs for rows of missing values
        return matrix_of(model, given)

    return _grouped(context, names, features, answer)


def _by_matrix(context: Context, names: Sequence[str], matrix: Any, answer: _Answer) -> list[Any]:
    """Rows of a matrix, each by its own model."""
    return _grouped(context, names, lambda model, rows: checked_matrix(model, matrix[rows]), answer)


def _grouped(
    context: Context,
    names: Sequence[Any],
    features: Callable[[LoadedModel, list[int]], Any],
    answer: _Answer,
) -> list[Any]:
    """Rows of the same model together. `NAME@3` asks for a version."""
    groups: dict[Any, list[int]] = {}
    for row, name in enumerate(names):
        groups.setdefault(name, []).append(row)
    out: list[Any] = [None] * len(names)
    for name, rows in groups.items():
        try:
            model = _model(context, name)
            values = answer(model, features(model, rows))
        except ModelError as error:
            values = [refusal(context, name, error)] * len(rows)
        if len(groups) == 1:
            return values
        for row, value in zip(rows, values, strict=True):
            out[row] = value
    return out


def _model(context: Context, name: str | None) -> LoadedModel:
    if name is None:
        raise RowError("the name of the model is NULL")
    known, at, version = name.partition("@")
    if at and not version.isdecimal():
        raise RowError(f"{name[:40]!r} is no model: write NAME or NAME@VERSION")
    model = context.models.get(known, int(version) if at else None)
    if not model.metadata.features:
        raise RowError(
            f"model {known} is of kind {model.metadata.kind}, which takes no features: PREDICT is not for it"
        )
    return model


def _classes(model: LoadedModel) -> tuple[str, ...]:
    return model.metadata.classes or ("0", "1")


def _label(model: LoadedModel, matrix: Any) -> list[str]:
    threshold = model.metadata.settings.get("threshold")
    chances = model.probabilities(matrix)
    if threshold is not None and chances.shape[1] == 2:
        return [_classes(model)[int(p >= threshold)] for p in chances[:, 1]]
    return [_classes(model)[at] for at in chances.argmax(axis=1)]


def _proba(model: LoadedModel, matrix: Any) -> list[dict[str, float]]:
    names = _classes(model)
    return [dict(zip(names, row, strict=False)) for row in model.probabilities(matrix).tolist()]


def _contributions(exact: bool) -> _Answer:
    def answer(model: LoadedModel, matrix: Any) -> list[dict[str, float]]:
        found = model.attributions(matrix, exact=True) if exact else model.attributions(matrix)
        return [dict(zip(model.metadata.features, row, strict=True)) for row in found.tolist()]

    return answer


def _predicted(model: LoadedModel, matrix: Any) -> list[float]:
    found: list[float] = model.predict(matrix).tolist()
    return found


_contributed = _contributions(False)


def _explain(context: Context, names: Sequence[Any], *columns: Sequence[Any]) -> list[Any]:
    return _by_model(context, names, columns, _contributed)


@function(
    "PREDICT(model VARCHAR, features DOUBLE...) -> DOUBLE",
    context=True,
    deterministic=False,
    nulls="call",
    timeout=30.0,
    attributions=_explain,
    example="SELECT ID, PREDICT('churn', VISITS, SPENT) AS CHURN FROM CUSTOMERS EMIT CHANGES;",
)
def predict(context: Context, names: Sequence[Any], *columns: Sequence[Any]) -> list[Any]:
    """What a registered model says: the probability of the second of two classes, the number of the likeliest of
    several, or the value. Features in the model's order, or a STRUCT or MAP by name; NULL counts as missing. 'churn' is
    the live version, 'churn@3' the third. `ksqlkit train churn --from FILE --label COL` makes one, `ksqlkit models
    import` takes one in."""
    return _by_model(context, names, columns, _predicted)


@function(
    "PREDICT_PROBA(model VARCHAR, features DOUBLE...) -> MAP<VARCHAR, DOUBLE>",
    context=True,
    deterministic=False,
    nulls="call",
    timeout=30.0,
    example="SELECT ID, PREDICT_PROBA('segment', VISITS, SPENT) AS CHANCES FROM CUSTOMERS EMIT CHANGES;",
)
def predict_proba(context: Context, names: Sequence[Any], *columns: Sequence[Any]) -> list[Any]:
    """The probability of each class, from a registered model of classes; see PREDICT."""
    return _by_model(context, names, columns, _proba)


@function(
    "PREDICT_LABEL(model VARCHAR, features DOUBLE...) -> VARCHAR",
    context=True,
    deterministic=False,
    nulls="call",
    timeout=30.0,
    example="SELECT ID, PREDICT_LABEL('segment', VISITS, SPENT) AS SEGMENT FROM CUSTOMERS EMIT CHANGES;",
)
def predict_label(context: Context, names: Sequence[Any], *columns: Sequence[Any]) -> list[Any]:
    """The class that a registered model chooses: the likeliest, or of two the second from the model's threshold on. See
    PREDICT."""
    return _by_model(context, names, columns, _label)


@function(
    "EXPLAIN(model VARCHAR, features DOUBLE...) -> MAP<VARCHAR, DOUBLE>",
    context=True,
    deterministic=False,
    nulls="call",
    timeout=60.0,
    example="SELECT ID, EXPLAIN('churn', VISITS, SPENT) AS WHY FROM CUSTOMERS EMIT CHANGES;",
)
def explain(context: Context, names: Sequence[Any], *columns: Sequence[Any]) -> list[Any]:
    """What each feature adds to a registered model's answer, in the model's own unit (log-odds for boosted
    classifiers). Approximate and quick; with TRUE after a STRUCT or MAP of features, exact Shapley values, which cost a
    hundred times as much. See PREDICT."""
    return _explain(context, names, *columns)


for _function, _returns, _answered in (
    (predict, "DOUBLE", _predicted),
    (predict_proba, "MAP<VARCHAR, DOUBLE>", _proba),
    (predict_label, "VARCHAR", _label),
    (explain, "MAP<VARCHAR, DOUBLE>", _contributed),
):
    _function.matrix(partial(_by_matrix, answer=_answered))
    for _type in ("MAP<VARCHAR, DOUBLE>", "STRUCT< >"):
        _signature = f"{_function.name}(model VARCHAR, features {_type}) -> {_returns}"
        _function.overload(_signature)(_function.overloads[0].body)


@explain.overload(
    "EXPLAIN(model VARCHAR, features MAP<VARCHAR, DOUBLE>, exact BOOLEAN) -> MAP<VARCHAR, DOUBLE>"
)
def _on_request(
    context: Context,
    names: Sequence[Any],
    rows: Sequence[Mapping[str, Any] | None],
    exact: Sequence[bool | None],
) -> list[Any]:
    out: list[Any] = [None] * len(names)
    for wanted in (False, True):
        at = [row for row, value in enumerate(exact) if bool(value) is wanted]
        if at:
            found = _by_model(
                context, [names[i] for i in at], [[rows[i] for i in at]], _contributions(wanted)
            )
            for row, value in zip(at, found, strict=True):
                out[row] = value
    return out


explain.overload("EXPLAIN(model VARCHAR, features STRUCT< >, exact BOOLEAN) -> MAP<VARCHAR, DOUBLE>")(
    _on_request
)
