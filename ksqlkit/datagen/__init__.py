"""Seeded simulators of real-looking input: card transactions with labelled fraud, and support messages.

The same seed gives the same rows on every machine. Rows are plain dicts in time order.
"""

from __future__ import annotations

from ksqlkit.datagen.messages import messages
from ksqlkit.datagen.transactions import transactions
from ksqlkit.datagen.world import customers, terminals
from ksqlkit.datagen.writers import FORMATS, write_rows

__all__ = ["FORMATS", "customers", "messages", "terminals", "transactions", "write_rows"]
