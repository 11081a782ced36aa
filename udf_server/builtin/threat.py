"""THREAT_SCORE and PAYLOAD_THREAT: how likely a connection or a piece of a request is an attack, and of which kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from udf_server.context import Context
from udf_server.errors import ModelError
from udf_server.function import RowError, function
from udf_server.models.loaded import LoadedModel
from udf_server.rows import attributions_of, checked_matrix, matrix_of
from udf_server.text.model import harmless_class, optional_text_model
from udf_server.text.occlusion import word_contributions
from udf_server.threat.rules import payload_rules

if TYPE_CHECKING:
    from udf_server.models.loaded import Floats

_RESULT: Final = "STRUCT<SCORE DOUBLE, KIND VARCHAR>"
PAYLOAD_MODEL: Final = "payload"  # the name a trained classifier must have to answer here


def _attributions(
    context: Context,  # noqa: ARG001
    model: LoadedModel,
    *columns: Sequence[Any],
) -> list[dict[str, float]]:
    return attributions_of(model, columns)


def _kinds(context: Context, model: LoadedModel, matrix: Floats) -> list[str | None]:
    """The likeliest kind of attack of each row, by the model trained along with the score."""
    name = f"{model.metadata.name}_kind"
    if context.models.serving(name) is None:
        return [None] * len(matrix)
    found = context.models.get(name)
    if found.metadata.features != model.metadata.features:
        return [None] * len(matrix)
    return [found.metadata.classes[at] for at in found.probabilities(matrix).argmax(axis=1).tolist()]


@function(
    f"THREAT_SCORE(features DOUBLE...) -> {_RESULT}",
    model="threat",
    context=True,
    nulls="call",
    timeout=30.0,
    attributions=_attributions,
    example="SELECT ID, THREAT_SCORE(STRUCT(SERVICE := SERVICE, SRC_BYTES := SRC_BYTES))->SCORE AS RISK "
    "FROM CONNECTIONS EMIT CHANGES;",
)
def threat_score(
    context: Context, model: LoadedModel, *features: Sequence[float | None]
) -> list[dict[str, Any]]:
    """SCORE is the probability of an attack, a half where attacks of kinds never seen are told from ordinary traffic
    best; KIND is the likeliest kind from a half up, else NULL. Features by name as a STRUCT or MAP, or where all are
    numbers in the model's order, from the live `threat` model: `ksqlkit train threat --from FILE --label KIND_COLUMN`.
    A NULL feature counts as missing."""
    return _scored(context, model, matrix_of(model, features))


@threat_score.matrix
def _of_matrix(context: Context, model: LoadedModel, matrix: Floats) -> list[dict[str, Any]]:
    return _scored(context, model, checked_matrix(model, matrix))


@threat_score.overload(f"THREAT_SCORE(features STRUCT< >) -> {_RESULT}")
def _by_name(
    context: Context, model: LoadedModel, features: Sequence[Mapping[str, Any] | None]
) -> list[dict[str, Any]]:
    return _scored(context, model, matrix_of(model, [[row or {} for row in features]]))


threat_score.overload(f"THREAT_SCORE(features MAP<VARCHAR, VARCHAR>) -> {_RESULT}")(_by_name)


def _scored(context: Context, model: LoadedModel, matrix: Floats) -> list[dict[str, Any]]:
    scores = model.predict(matrix).tolist()
    kinds = _kinds(context, model, matrix)
    return [{"SCORE": s, "KIND": kind if s >= 0.5 else None} for s, kind in zip(scores, kinds, strict=True)]


def _payload_scores(context: Context, texts: Sequence[str]) -> list[dict[str, Any]]:
    """From the trained model when there is one, else from rules. Raises ModelError."""
    model = optional_text_model(context.models, PAYLOAD_MODEL)
    if model is None:
        return [payload_rules(text) for text in texts]
    ordinary = harmless_class(model.classes)
    if ordinary is None:
        raise ModelError(
            f"model {PAYLOAD_MODEL!r} has no class for ordinary text, such as normal; it has {', '.join(model.classes)}"
        )
    at = model.classes.index(ordinary)
    out: list[dict[str, Any]] = []
    for row in model.of(texts).tolist():
        score = 1.0 - row[at]
        others = [(p, c) for p, c in zip(row, model.classes, strict=True) if c != ordinary]
        out.append({"SCORE": score, "KIND": max(others)[1] if score >= 0.5 else None})
    return out


def _payload_attributions(context: Context, texts: Sequence[str]) -> list[dict[str, float]]:
    return word_contributions(
        texts, lambda variants, _: [found["SCORE"] for found in _payload_scores(context, variants)]
    )


@function(
    f"PAYLOAD_THREAT(text VARCHAR) -> {_RESULT}",
    trained=PAYLOAD_MODEL,
    context=True,
    batch_limit=2000,
    timeout=30.0,
    attributions=_payload_attributions,
    example="SELECT ID, PAYLOAD_THREAT(QUERY_STRING)->KIND AS ATTACK FROM REQUESTS EMIT CHANGES;",
)
def payload_threat(context: Context, texts: Sequence[str]) -> list[dict[str, Any] | RowError]:
    """SCORE is the probability that a value out of a request is an attack, KIND which: sqli, xss, cmdi or
    path-traversal, NULL when it is none. By rules, until a classifier named `payload` is trained:
    `ksqlkit train payload --from FILE --label KIND_COLUMN --text PAYLOAD_COLUMN`."""
    try:
        found: list[dict[str, Any] | RowError] = list(_payload_scores(context, texts))
    except ModelError as error:
        return [RowError(str(error), "UNAVAILABLE")] * len(texts)
    return found
