"""Which functions are nothing but a model's answer, so that whoever holds the model's portable form can give it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Set

    from udf_server.catalog import Catalog
    from udf_server.function import Function

_OF_TEXTS: Final = {"CLASSIFY": "label", "CLASSIFY_PROBA": "chances"}
# The value or probability, the class, or the probabilities of all classes; of the function's own model, or of the one
# that the first argument names.
_ANSWERS: Final = {
    "FAILURE_RISK": "score",
    "FRAUD_SCORE": "score",
    "PREDICT": "score",
    "PREDICT_LABEL": "label",
    "PREDICT_PROBA": "chances",
}


def answer_of(function: Function) -> str | None:
    """'score', 'label' or 'chances' for a function of ours that is a model's answer, else None."""
    return (_ANSWERS | _OF_TEXTS).get(function.name) if function.origin == "udf_server" else None


def answers_for(function: Function | None, model: str) -> bool:
    """Whether a function answers with that model: its own, or any that a call names."""
    if function is None:
        return False
    return function.model == model or (function.model is None and answer_of(function) is not None)


def may_have(catalog: Catalog, allowed: Set[str], model: str, kind: str | None) -> bool:
    """Whether who may call those functions (empty: all) gets nothing more from having that model of a kind itself."""
    if not allowed:
        return True
    known = [catalog.find(name) for name in allowed]
    answering = [f for f in known if f is not None and answer_of(f) is not None]
    return any(f.model in (None, model) and (f.name in _OF_TEXTS) == (kind == "text") for f in answering)
