"""The least a Python server can do: granian, orjson and inplace_predict. `python bare.py MODEL PORT`.

JSON in and out as the peers have it: a list of rows, a list of scores; Arrow: columns in, one column out.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import numpy as np
import orjson
import xgboost
from granian.constants import Interfaces
from granian.server.embed import Server

JSON_HEADERS = [("content-type", "application/json")]
ARROW = "application/vnd.apache.arrow.stream"
booster = xgboost.Booster(model_file=sys.argv[1])
booster.set_param({"nthread": 1})


async def app(scope: Any, protocol: Any) -> None:
    """One request, scored where it arrives."""
    body = await protocol()
    if scope.headers.get("content-type") == ARROW:
        import pyarrow as pa

        table = pa.ipc.open_stream(body).read_all()
        matrix = np.column_stack([c.to_numpy() for c in table.columns])
        scores = pa.record_batch({"value": booster.inplace_predict(matrix)})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, scores.schema) as writer:
            writer.write_batch(scores)
        protocol.response_bytes(200, [("content-type", ARROW)], sink.getvalue().to_pybytes())
        return
    scores = booster.inplace_predict(np.array(orjson.loads(body)))
    protocol.response_bytes(200, JSON_HEADERS, orjson.dumps(scores, option=orjson.OPT_SERIALIZE_NUMPY))


async def main() -> None:
    """Serve until killed."""
    server = Server(
        app,
        address="127.0.0.1",
        port=int(sys.argv[2]),
        interface=Interfaces.RSGI,
        websockets=False,
        log_enabled=False,
        backlog=1024,
    )
    await server.serve()


if __name__ == "__main__":
    asyncio.run(main())
