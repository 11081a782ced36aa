"""What a processor counts, and the page that Prometheus reads."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from ksqlkit.errors import UserError
from udf_server.metrics import ROWS, SECONDS, Counter, Gauge, Histogram, render


class Counters:
    """Everything that is counted, by the name of the processor."""

    def __init__(self) -> None:
        self.read = Counter("ksqlkit_process_read_total", "Records read, and committed with their results")
        self.written = Counter("ksqlkit_process_written_total", "Results written and committed")
        self.dead = Counter("ksqlkit_process_dead_letters_total", "Dead letters by code")
        self.commits = Counter(
            "ksqlkit_process_transactions_total", "Transactions by outcome: committed or aborted"
        )
        self.waits = Counter("ksqlkit_process_waits_total", "Pauses for a server that was away")
        self.partitions = Gauge("ksqlkit_process_partitions", "Input partitions that this process has")
        self.size = Gauge("ksqlkit_process_batch_limit", "Records that the next transaction may hold")
        self.states = Gauge("ksqlkit_process_series", "Series whose state this process keeps")
        self.versions = Gauge("ksqlkit_process_model_version", "Model version that answers, by function")
        self.lag = Gauge("ksqlkit_process_lag", "Records behind the end of the input")
        self.batch = Histogram("ksqlkit_process_batch_rows", "Records per transaction", ROWS)
        self.scoring = Histogram(
            "ksqlkit_process_scoring_seconds", "Time a transaction waited for answers", SECONDS
        )
        self.total = Histogram("ksqlkit_process_transaction_seconds", "Time from read to commit", SECONDS)

    def render(self) -> str:
        """The page."""
        return render(vars(self).values())


class MetricsPage:
    """Serves /metrics on a port, in a thread, until the block ends. Raises UserError for a port that is taken."""

    def __init__(self, counters: Counters, host: str, port: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """The page, or a word that the process lives."""
                pages = {"/metrics": counters.render(), "/livez": "ok\n"}
                body = pages.get(self.path, "try /metrics\n").encode()
                self.send_response(200 if self.path in pages else 404)
                self.send_header("content-type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing: who reads metrics reads them often."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise UserError(f"The port {port} for metrics cannot be had: {error.strerror}") from error
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5.0)
