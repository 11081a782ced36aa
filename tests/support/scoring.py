"""Calls of the scoring service in one line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from udf_server.batch import Batch
from udf_server.memory.protocol import Memory
from udf_server.service import Answer, Service


def ask(models: Path, *calls: tuple[str, list[list[Any]]], memory: Memory | None = None) -> list[Answer]:
    """The answers of calls (function, rows), one after another, of one service over that folder."""

    async def act() -> list[Answer]:
        service = Service(models, memory=memory)
        try:
            return [await service.call(name, None, Batch.of(rows)) for name, rows in calls]
        finally:
            await service.drain()

    return asyncio.run(act())
