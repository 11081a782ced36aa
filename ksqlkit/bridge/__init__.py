"""The jar that makes the scoring server's functions SQL functions of a real ksqlDB.

Class files are written here, one per function, from the server's manifest; what they do is in the runtime jar,
compiled once from `udf_server/java`.
"""

from __future__ import annotations

from ksqlkit.bridge.check import Finding, check
from ksqlkit.bridge.jar import Built, build_jar, other_jars

__all__ = ["Built", "Finding", "build_jar", "check", "other_jars"]
