"""The scoring server side by side with others that serve the same XGBoost model (200 trees, 30 features) over HTTP.

`python -m benchmarks scoring` measures it against a bare granian + orjson + inplace_predict app; with SCORING_PEERS=1
also LitServe, BentoML and MLServer, each in an environment of its own under build/peers that is made the first time.
All run at once and take turns, a second each, so that what else the machine does meets all of them alike.
"""

from __future__ import annotations

import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import orjson

from benchmarks.loadgen import Load, request_bytes, run_load
from benchmarks.peers.servers import BARE, OURS, OURS_2, PRODUCTS, Server, install, make_model, running
from benchmarks.result import Benchmark, Result

CONNECTIONS = (1, 16, 64)
ROUNDS = 5
SECONDS = 1.0
WARM = 0.2
BATCH = 256
BATCH_CONNECTIONS = 4
BY_JSON, BY_ARROW = (f"{BATCH} rows by {form}" for form in ("JSON", "Arrow"))
PRODUCT_NAMES = frozenset(product.name for product in PRODUCTS)
ARROW = "application/vnd.apache.arrow.stream"


def _arrow_body(rows: Any) -> bytes:
    import pyarrow as pa

    batch = pa.record_batch({f"F{i}": rows[:, i] for i in range(rows.shape[1])})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def _workloads(server: Server, url: str, rows: Any) -> Iterator[tuple[str, list[bytes], int]]:
    """Name, requests to send in turn, and connections of each workload the server can do."""
    single = [request_bytes(url, orjson.dumps(server.body([row]))) for row in rows[:64].tolist()]
    for connections in CONNECTIONS:
        yield f"1 row, {connections} connections", single, connections
    json = [request_bytes(url, orjson.dumps(server.body(rows.tolist())))]
    yield BY_JSON, json, BATCH_CONNECTIONS
    if server.package is None:
        arrow = [request_bytes(url, _arrow_body(rows), ARROW)]
        yield BY_ARROW, arrow, BATCH_CONNECTIONS


def _parts(url: str) -> dict[str, tuple[float, float]]:
    """Seconds and calls that our server has spent so far in each part of its work, by its own metrics."""
    import httpx

    parts = urlsplit(url)
    page = httpx.get(f"{parts.scheme}://{parts.netloc}/metrics", trust_env=False).text
    found = re.findall(r"^udf_(parse|queue|score|encode)_seconds_(sum|count)\S* (\S+)$", page, re.MULTILINE)
    values = {(part, kind): float(value) for part, kind, value in found}
    return {part: (values[part, "sum"], values[part, "count"]) for part, kind in values if kind == "sum"}


def measure(spent: dict[str, dict[str, float]] | None = None) -> dict[str, dict[str, list[Load]]]:
    """Loads by workload and server, one for each round; into `spent`, by workload, the mean microseconds of each part
    of our server's work. Servers that cannot be installed are left out, with a word."""
    servers = [OURS, OURS_2, BARE]
    if os.environ.get("SCORING_PEERS"):
        for product in PRODUCTS:
            why = install(product)
            if why is None:
                servers.append(product)
            else:
                print(f"{product.name} is left out: {why}", file=sys.stderr)
    found: dict[str, dict[str, list[Load]]] = defaultdict(lambda: defaultdict(list))
    with TemporaryDirectory() as folder, ExitStack() as stack:
        model = Path(folder) / "model.ubj"
        rows = make_model(model)
        work: dict[str, list[tuple[str, str, list[bytes], int]]] = defaultdict(list)
        for server in servers:
            try:
                url = stack.enter_context(running(server, model))
            except (OSError, TimeoutError) as error:
                print(f"{server.name} is left out: {error}", file=sys.stderr)
                continue
            for name, requests, connections in _workloads(server, url, rows):
                work[name].append((server.name, url, requests, connections))
        for name, turns in work.items():
            ours = next((url for server_name, url, _, _ in turns if server_name == OURS.name), None)
            before = _parts(ours) if ours else {}
            for _ in range(ROUNDS):
                for server_name, url, requests, connections in turns:
                    load = run_load(url, requests, connections, SECONDS, WARM)
                    if load.failed:
                        print(f"{server_name} failed {load.failed} requests of {name}", file=sys.stderr)
                    else:
                        found[name][server_name].append(load)
            if ours and spent is not None:
                none = (0.0, 0.0)
                spent[name] = {
                    part: 1e6
                    * (total - before.get(part, none)[0])
                    / max(1.0, calls - before.get(part, none)[1])
                    for part, (total, calls) in _parts(ours).items()
                }
    return found


def scoring() -> Iterator[Result]:
    """Requests (or rows) a second and the 99th percentile in ms: the best of the rounds of each server."""
    spent: dict[str, dict[str, float]] = {}
    found = measure(spent)
    for workload, servers in found.items():
        for part, mean in spent[workload].items():
            yield Result(f"scoring: {workload}, {OURS.name}: {part}", round(mean, 1), "us")
        rows = BATCH if workload.startswith(str(BATCH)) else 1
        unit = "rows/s" if rows > 1 else "requests/s"
        if workload == BY_ARROW:  # the products take no Arrow: beside it stands what they do by JSON
            servers |= {f"{n}, JSON": loads for n, loads in found[BY_JSON].items() if n in PRODUCT_NAMES}
        rate = {name: round(max(load.rate for load in loads) * rows) for name, loads in servers.items()}
        p50 = {name: round(min(load.p50 for load in loads), 2) for name, loads in servers.items()}
        p99 = {name: round(min(load.p99 for load in loads), 2) for name, loads in servers.items()}
        ours = [OURS.name, OURS_2.name]
        for peer in (name for name in servers if name not in ours):
            for name in ours:
                about = f"scoring: {workload}, {name} and {peer}"
                yield Result(about, rate[name], unit, peer, rate[peer])
                yield Result(f"{about}: p50", p50[name], "ms", peer, p50[peer])
                yield Result(f"{about}: p99", p99[name], "ms", peer, p99[peer])


def run() -> list[dict[str, Any]]:
    """All figures, as they stand in the JSON file."""
    return [result.entry() for result in scoring()]


BENCHMARKS = (Benchmark("scoring: one model, side by side", scoring),)
