"""Tiny ONNX models, written out by hand: protocol buffers need no library for that."""

from __future__ import annotations

import numpy as np

INT64, FLOAT = 7, 1  # element types of ONNX


def encoder_model(vectors: np.ndarray, inputs: tuple[str, ...] = ("input_ids", "attention_mask")) -> bytes:
    """A model whose only step looks each token up in a table: `last_hidden_state` is texts by tokens by dimensions."""
    table = _field(1, len(vectors)) + _field(1, vectors.shape[1]) + _field(2, FLOAT) + _text(8, "table")
    table += _bytes(9, vectors.astype("<f4").tobytes())
    node = _text(1, "table") + _text(1, inputs[0]) + _text(2, "last_hidden_state") + _text(4, "Gather")
    graph = _bytes(1, node) + _text(2, "encoder") + _bytes(5, table)
    for name in inputs:
        graph += _bytes(11, _value(name, INT64, ["texts", "tokens"]))
    graph += _bytes(12, _value("last_hidden_state", FLOAT, ["texts", "tokens", vectors.shape[1]]))
    return _field(1, 8) + _bytes(7, graph) + _bytes(8, _text(1, "") + _field(2, 13))


def matrix_model(weights: np.ndarray) -> bytes:
    """A model whose only step multiplies rows of numbers by a matrix: features by outputs."""
    table = _field(1, len(weights)) + _field(1, weights.shape[1]) + _field(2, FLOAT) + _text(8, "weights")
    table += _bytes(9, weights.astype("<f4").tobytes())
    node = _text(1, "rows") + _text(1, "weights") + _text(2, "answers") + _text(4, "MatMul")
    graph = _bytes(1, node) + _text(2, "matrix") + _bytes(5, table)
    graph += _bytes(11, _value("rows", FLOAT, ["n", len(weights)]))
    graph += _bytes(12, _value("answers", FLOAT, ["n", weights.shape[1]]))
    return _field(1, 8) + _bytes(7, graph) + _bytes(8, _text(1, "") + _field(2, 13))


def _value(name: str, kind: int, shape: list[str | int]) -> bytes:
    sizes = b"".join(_bytes(1, _field(1, s) if isinstance(s, int) else _text(2, s)) for s in shape)
    return _text(1, name) + _bytes(2, _bytes(1, _field(1, kind) + _bytes(2, sizes)))


def _field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _bytes(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _bytes(number, text.encode())


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
