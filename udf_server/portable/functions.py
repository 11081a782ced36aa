"""Which functions are nothing but a model's answer, so that whoever holds the model's portable form can give it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Set

    from udf_server.catalog import Catalog
    from udf_server.function import Function

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
    return _ANSWERS.get(function.name) if function.origin == "udf_server" else None


def may_have(catalog: Catalog, allowed: Set[str], model: str) -> bool:
    """Whether who may call those functions (empty: all) gets nothing more from having the model itself."""
    if not allowed:
        return True
    known = (catalog.find(name) for name in allowed)
    return any(f is not None and answer_of(f) is not None and f.model in (None, model) for f in known)
