"""Scalar expressions: types, casts and code generation."""

from ksqlkit.engine.expressions.code import Compiled, Scope, Variable
from ksqlkit.engine.expressions.compiler import (
    ExpressionCompiler,
    coerce_source,
    compile_function,
    infer_type,
)
from ksqlkit.engine.expressions.remote import RemoteStage, answer_rows, split_remote
from ksqlkit.engine.expressions.runtime import error_text

__all__ = [
    "Compiled",
    "ExpressionCompiler",
    "RemoteStage",
    "Scope",
    "Variable",
    "answer_rows",
    "coerce_source",
    "compile_function",
    "error_text",
    "infer_type",
    "split_remote",
]
