"""The engine's side of the scoring server: its functions as remote functions of SQL, called in batches."""

from __future__ import annotations

from ksqlkit.scoring.call import RemoteFunction, RowFailed
from ksqlkit.scoring.client import ScoringClient
from ksqlkit.scoring.entry import Entry

__all__ = ["Entry", "RemoteFunction", "RowFailed", "ScoringClient"]
