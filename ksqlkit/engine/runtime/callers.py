"""Threads that call remote functions: whoever waits for an answer holds nothing meanwhile."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final

from ksqlkit.engine.functions.contract import RemoteCall

THREADS: Final = 16
FUNCTION_THREADS: Final = 4  # calls of one function at a time: a slow one leaves threads for the others
Rows = Sequence[tuple[Any, ...]]
Answers = Future[list[Any]]


class Callers:
    """Makes calls on at most THREADS threads, started when they are needed; `done` is called after each.

    The threads are daemons: a call that hangs keeps no process from ending.
    """

    def __init__(self, done: Callable[[], None]) -> None:
        self._done = done
        self._news = threading.Condition()
        self._waiting: list[tuple[RemoteCall, Rows, Answers]] = []
        self._running: Counter[int] = Counter()
        self._threads = self._idle = 0
        self._closed = False

    def submit(self, call: RemoteCall, rows: Rows) -> Answers:
        """Have a call made; one that is cancelled before its turn is not."""
        answers: Answers = Future()
        with self._news:
            if self._closed:
                answers.cancel()
                return answers
            self._waiting.append((call, rows, answers))
            if self._idle < len(self._waiting) and self._threads < THREADS:
                self._threads += 1
                name = f"ksqlkit-remote-{self._threads}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
            self._news.notify()
        return answers

    def close(self) -> None:
        """Make no more calls; those under way end by themselves."""
        with self._news:
            self._closed = True
            for _, _, answers in self._waiting:
                answers.cancel()
            self._waiting.clear()
            self._news.notify_all()

    def _next(self) -> tuple[RemoteCall, Rows, Answers] | None:
        """The first call whose function may have one more thread; None when closed."""
        with self._news:
            self._idle += 1
            try:
                while not self._closed:
                    for place, (call, _, _) in enumerate(self._waiting):
                        if self._running[id(call)] < FUNCTION_THREADS:
                            self._running[id(call)] += 1
                            return self._waiting.pop(place)
                    self._news.wait()
                return None
            finally:
                self._idle -= 1

    def _work(self) -> None:
        while (task := self._next()) is not None:
            call, rows, answers = task
            if answers.set_running_or_notify_cancel():
                try:
                    answers.set_result(call.call(rows))
                except BaseException as error:
                    answers.set_exception(error)
            with self._news:
                self._running[id(call)] -= 1
                self._running += Counter()  # forget those that are at zero
                self._news.notify()
            self._done()
