"""The scoring server: AI functions for SQL, written as vectorised Python.

from udf_server import function

@function("SHOUT(text VARCHAR) -> VARCHAR")
def shout(texts):
    return [t.upper() for t in texts]
"""

from __future__ import annotations

from udf_server.function import Function, RowError, function

__all__ = ["Function", "RowError", "function"]
