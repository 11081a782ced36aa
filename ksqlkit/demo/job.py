"""The job: apply, load, train, score, forecast, classify, and gather the figures.

The ksqlDB works in its own process while this one prepares the next input, so the order below keeps both busy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ksqlkit.cli.options import open_loader
from ksqlkit.cli.output import messages, progress
from ksqlkit.client.http import HttpClient
from ksqlkit.demo import flights, fraud, support
from ksqlkit.demo.report import Report
from ksqlkit.errors import ServerError
from ksqlkit.project.config import Config
from ksqlkit.stack import Stack

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")

TRANSACTIONS = 200_000
MESSAGES = 3_000
LIVE_ALERTS = 5
PATIENCE = 300.0  # seconds without any progress after which the job gives up


def run_job(stack: Stack, config: Config, models: Path, *, scale: float = 1.0) -> Report:
    """Run everything and return the figures. Raises what any part raises; progress goes to standard error."""
    report = Report(connections={"ksqldb": stack.ksql.url, "scoring": stack.scoring.url})
    client = stack.client
    with progress() as bar:
        with _timed(report, "apply"):
            report.models = _apply(stack, config)
        with _timed(report, "load flights"):
            before, after = _load_flights(client, bar, report, scale)
        with _timed(report, "train"):
            transactions = _train(bar, models, scale)
        with _timed(report, "flights in SQL"):
            _wait_for_flights(client, bar, len(before))
        watcher = _watch_alerts(stack.ksql.url, report)
        with _timed(report, "load transactions"):
            report.rows["transactions"] = _tracked(
                bar, "transactions", len(transactions), lambda on: fraud.load(client, transactions, on)
            )
        with _timed(report, "forecast"):
            _forecast(client, config, bar, report)
            held = _tracked(
                bar, "the last 48 h", len(after), lambda on: flights.load(client, "flights", iter(after), on)
            )
            report.rows["flights"] = len(before) + held
        with _timed(report, "score"):
            scores = _scores(client, bar, len(transactions))
            report.fraud = fraud.measure(transactions, scores)
        watcher.join(10.0)
        with _timed(report, "text"):
            _text(client, bar, report, config, scale)
        _wait_for_flights(client, bar, report.rows["flights"])
        report.weather = flights.delay_by_weather(client)
        report.compared = flights.compare(client)
    return report


def _apply(stack: Stack, config: Config) -> int:
    from ksqlkit.cli.apply import DEFAULT_PROPERTIES
    from ksqlkit.plan.apply import apply, check
    from ksqlkit.plan.run import make_plan

    loader = open_loader(config)
    stages, _ = make_plan(loader, stack.client, stack.scoring.url)
    check(stages, allow_replace=False)
    apply(stages, stack.client, loader, properties=DEFAULT_PROPERTIES)
    return len(stages)


def _load_flights(
    client: HttpClient, bar: Progress, report: Report, scale: float
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    folder = flights.find_data()
    weather = list(flights.read_weather(folder))
    report.rows["weather"] = _tracked(
        bar, "weather", len(weather), lambda on: flights.load(client, "weather", iter(weather), on)
    )
    rows = _tracked(bar, "reading flights", 1, lambda _: flights.read_flights(folder, scale))
    before, after = flights.split_held_back(rows)
    _tracked(bar, "flights", len(before), lambda on: flights.load(client, "flights", iter(before), on))
    return before, after


def _train(bar: Progress, models: Path, scale: float) -> list[dict[str, Any]]:
    def work(on: Callable[[int], None]) -> list[dict[str, Any]]:
        transactions = fraud.simulate(int(TRANSACTIONS * scale))
        on(1)
        fraud.train(transactions, models)
        return transactions

    return _tracked(bar, "training the fraud model", 2, work)


def _wait_for_flights(client: HttpClient, bar: Progress, count: int) -> None:
    def work(on: Callable[[int], None]) -> None:
        done, since = -1, time.monotonic()
        while done < count:
            now = sum(r["FLIGHTS"] for r in flights.delay_by_weather(client))
            hours = client.query("SELECT DEPARTURES FROM DEPARTURES_BY_HOUR;").rows if now >= count else []
            now = min(now, sum(r[0] for r in hours)) if hours else min(now, count - 1)
            if now > done:
                done, since = now, time.monotonic()
                on(done)
            elif time.monotonic() - since > PATIENCE:
                raise ServerError(f"The queries stopped at {done:,} of {count:,} flights")
            time.sleep(0.1)

    _tracked(bar, "flights in SQL", count, work)


def _watch_alerts(url: str, report: Report) -> threading.Thread:
    """Show the first alerts live, through a push query of their own."""

    def watch() -> None:
        client = HttpClient(url)
        sql = f"SELECT TX_ID, CUSTOMER_ID, AMOUNT, SCORE FROM FRAUD_ALERTS EMIT CHANGES LIMIT {LIVE_ALERTS};"
        with client.stream(sql, properties={"auto.offset.reset": "earliest"}) as rows:
            for row in rows:
                report.alerts.append(dict(zip(rows.header.columns, row, strict=True)))
                tx, customer, amount, score = row
                messages.print(
                    f"  alert: transaction {tx}, customer {customer}, {amount:.2f}, score {score:.3f}"
                )
        client.close()

    thread = threading.Thread(target=watch, name="alerts", daemon=True)
    thread.start()
    return thread


def _forecast(client: HttpClient, config: Config, bar: Progress, report: Report) -> None:
    from dataclasses import replace

    from forecasts.publish import publish
    from forecasts.refresh import refresh
    from forecasts.spec import load_specs
    from ksqlkit.engine.clock import SystemClock

    spec = load_specs(config.forecasts)["departures"]

    def work(on: Callable[[int], None]) -> None:
        steps = iter(range(1, 100))
        results = refresh(client, spec, on_model=lambda _: on(next(steps)))
        now = SystemClock().now()
        report.rows["forecast"] = publish(client, spec, results, now=now, run_id=f"demo-{now}")
        report.forecasts = [
            {
                "series": r.series[0],
                "status": r.status,
                "model": r.model,
                "error": r.error,
                "naive": r.naive_error,
            }
            for r in (replace(r, mean=(), bounds={}) for r in results)
        ]

    _tracked(bar, "forecasting departures", len(spec.models) + 1, work)


def _scores(client: HttpClient, bar: Progress, count: int) -> dict[int, float | None]:
    return _tracked(bar, "scoring transactions", count, lambda on: fraud.read_scores(client, count, on))


def _text(client: HttpClient, bar: Progress, report: Report, config: Config, scale: float) -> None:
    subjects = list(config.vars["support_topics"])
    written = support.simulate(max(100, int(MESSAGES * scale)), subjects)

    def work(on: Callable[[int], None]) -> None:
        report.rows["messages"] = support.load(client, written, on)
        tags = support.read_tags(client, len(written))
        report.text_accuracy = support.measure(written, tags)
        report.support = support.mood_by_subject(client)

    _tracked(bar, "support messages", len(written), work)


def _tracked(bar: Progress, name: str, total: int, work: Callable[[Callable[[int], None]], T]) -> T:
    task = bar.add_task(name, total=total)
    result = work(lambda done: bar.update(task, completed=done))
    bar.update(task, completed=total)
    return result


@contextmanager
def _timed(report: Report, part: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    report.seconds[part] = time.perf_counter() - start
