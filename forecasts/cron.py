"""Cron lines of five fields, in UTC: minute, hour, day of month, month, day of week (0 and 7 are Sunday).

A field is `*`, numbers, ranges (`1-5`), lists (`1,15`) and steps (`*/15`). As in Vixie cron, where both days are
restricted, either one suffices.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from ksqlkit.errors import ProjectError

STALE = "when stale"
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MINUTE = dt.timedelta(minutes=1)
_YEARS = 5  # a line that names no time within so many years (30 February) never comes


@dataclass(frozen=True, slots=True)
class Cron:
    """Allowed values by field; `either` where both days are restricted."""

    fields: tuple[frozenset[int], ...]
    either: bool

    def last(self, now: int) -> int | None:
        """The latest scheduled time at or before `now`; milliseconds. None if there is none within five years."""
        moment = dt.datetime.fromtimestamp(now // 60_000 * 60, dt.UTC)
        end = moment - dt.timedelta(days=365 * _YEARS)
        minute, hour, _, month, _ = self.fields
        while moment >= end:
            if moment.month not in month or not self._day(moment):
                moment = moment.replace(hour=0, minute=0) - _MINUTE
            elif moment.hour not in hour:
                moment = moment.replace(minute=0) - _MINUTE
            elif moment.minute not in minute:
                moment -= _MINUTE
            else:
                return int(moment.timestamp() * 1000)
        return None

    def _day(self, moment: dt.datetime) -> bool:
        in_month = moment.day in self.fields[2]
        in_week = moment.isoweekday() % 7 in self.fields[4]
        return in_month or in_week if self.either else in_month and in_week


def parse_cron(text: str) -> Cron:
    """Read a line. Raises ProjectError that names the field."""
    words = text.split()
    if len(words) != 5:
        raise ProjectError(f"{text!r} is not a schedule", hint=f"Write cron ('0 * * * *', UTC) or {STALE!r}.")
    fields = [_field(word, low, high, text) for word, (low, high) in zip(words, _RANGES, strict=True)]
    fields[4] = frozenset(day % 7 for day in fields[4])
    return Cron(tuple(fields), either="*" not in (words[2][0], words[4][0]))


def _field(word: str, low: int, high: int, text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        try:
            start = low if span == "*" else int(first)
            end = high if span == "*" or (step and not dash) else int(last) if dash else start
            stride = int(step or 1)
        except ValueError:
            start, end, stride = 0, -1, 1
        if not low <= start <= end <= high or stride < 1:
            raise ProjectError(f"{part!r} in the schedule {text!r} is not within {low} to {high}")
        found |= set(range(start, end + 1, stride))
    return frozenset(found)
