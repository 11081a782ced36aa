"""What a running processor says, and how it is told to stop."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final

from ksqlkit.process import stop_with_parent
from ksqlkit.processor.settings import PREFIX

if TYPE_CHECKING:
    from ksqlkit.processor.processor import Processor

EVERY: Final = 10.0  # seconds between two lines of counts


class Seldom(logging.Filter):
    """Lines that differ in numbers only come once in ten seconds: a broker that is away is tried often. librdkafka's
    own on connections that fail never do: what they come to is told by others."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write it."""
        about = re.sub(r"\d+", "", record.getMessage())
        if about.startswith("FAIL "):
            return False
        if record.created - self._said.get(about, 0.0) < EVERY:
            return False
        if len(self._said) > 1000:
            self._said.clear()
        self._said[about] = record.created
        return True


@contextmanager
def logging_to_stderr() -> Iterator[None]:
    """The processor's and Kafka's lines on standard error, until the block ends."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    debugging = f"{PREFIX}DEBUG" in os.environ
    levels = {
        "ksqlkit.processor": logging.INFO,
        "ksqlkit.kafka": logging.DEBUG if debugging else logging.ERROR,
    }
    if not debugging:
        handler.addFilter(Seldom())
    for name, level in levels.items():
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name in levels:
            logging.getLogger(name).removeHandler(handler)


@contextmanager
def stopping_on_signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`; a second SIGINT interrupts."""

    def told(number: int, _: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    before = {n: signal.signal(n, told) for n in (signal.SIGTERM, signal.SIGINT)}
    stop_with_parent()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def follow(tell: Callable[[str], None]) -> Iterator[Callable[[Processor], None]]:
    """A function that takes processors which have started: their counts are written every ten seconds, while they
    change."""
    running: list[Processor] = []
    ended = threading.Event()

    def write() -> None:
        said: dict[str, int] = {}
        while not ended.wait(EVERY):
            for processor in running[:]:
                tally = processor.tally
                if tally.read != said.get(processor.group, 0):
                    rate = (tally.read - said.get(processor.group, 0)) / EVERY
                    said[processor.group] = tally.read
                    tell(
                        f"{processor.group}: {tally.read:,} records ({rate:,.0f}/s), {tally.dead:,} dead letters"
                    )

    def started(processor: Processor) -> None:
        running.append(processor)
        tell(f"{processor.group}: started; Ctrl-C ends it")

    thread = threading.Thread(target=write, name="counts", daemon=True)
    thread.start()
    try:
        yield started
    finally:
        ended.set()
        thread.join(5.0)
