"""EMBED: a text as a vector."""

from __future__ import annotations

from collections.abc import Sequence

from udf_server.builtin.named import refusal
from udf_server.context import Context
from udf_server.errors import ModelError
from udf_server.function import RowError, function
from udf_server.text.embedding import load_embedding
from udf_server.text.encoder import encoder_model


def _warm() -> object:
    return load_embedding()


@function(
    "EMBED(text VARCHAR) -> ARRAY<DOUBLE>",
    warm=_warm,
    context=True,
    batch_limit=2000,
    timeout=30.0,
    example="SELECT ID, EMBED(BODY) AS VECTOR FROM MESSAGES EMIT CHANGES;",
)
def embed(context: Context, texts: Sequence[str]) -> list[list[float]]:  # noqa: ARG001
    """256 numbers at unit length: the sum of the products of two texts' vectors is the closeness of what they are
    about, 1 at most. A text without words is all zeros. EMBED('model', text) asks an ONNX encoder of your own:
    `ksqlkit models import FILE.onnx --tokenizer tokenizer.json --name NAME`."""
    found: list[list[float]] = load_embedding().embed(texts).astype("float64").tolist()
    return found


@embed.overload("EMBED(model VARCHAR, text VARCHAR) -> ARRAY<DOUBLE>")
def _by_encoder(context: Context, names: Sequence[str], texts: Sequence[str]) -> list[list[float] | RowError]:
    out: list[list[float] | RowError] = [[]] * len(texts)
    for name in dict.fromkeys(names):
        rows = [row for row, given in enumerate(names) if given == name]
        try:
            found = encoder_model(context.models, name).embed([texts[row] for row in rows])
        except ModelError as error:
            for row in rows:
                out[row] = refusal(context, name, error)
            continue
        for row, vector in zip(rows, found.astype("float64").tolist(), strict=True):
            out[row] = vector
    return out
