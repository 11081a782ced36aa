"""What a function that asks for it (`context=True`) is handed first: the server's models and its memory."""

from __future__ import annotations

from dataclasses import dataclass

from udf_server.memory.protocol import Memory
from udf_server.models.live import LiveModels


@dataclass(frozen=True, slots=True)
class Context:
    """The models that are registered, and what functions remember between calls."""

    models: LiveModels
    memory: Memory
