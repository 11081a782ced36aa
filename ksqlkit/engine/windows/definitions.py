"""Window definitions with Kafka Streams' defaults, from the window clauses of SQL."""

from __future__ import annotations

from dataclasses import dataclass

from ksqlkit.dialect import nodes as N

DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class TimeWindows:
    """Tumbling (advance == size) or hopping windows; all in milliseconds.

    Without a GRACE PERIOD a window takes late records until 24 hours after its start.
    """

    size: int
    advance: int
    grace: int
    retention: int

    def starts(self, timestamp: int) -> range:
        """Starts of the windows that hold the timestamp, ascending; none starts before 0."""
        first = max(0, timestamp - self.size + self.advance) // self.advance * self.advance
        return range(first, timestamp + 1, self.advance)


@dataclass(frozen=True, slots=True)
class SessionWindows:
    """Sessions that end after `gap` milliseconds without a record."""

    gap: int
    grace: int
    retention: int


def window_of(window: N.Window) -> TimeWindows | SessionWindows:
    """The definition that a window clause stands for."""
    grace = None if window.grace is None else window.grace.millis
    retention = None if window.retention is None else window.retention.millis
    if isinstance(window, N.SessionWindow):
        gap = window.gap.millis
        grace = max(DAY - gap, 0) if grace is None else grace
        return SessionWindows(gap, grace, gap + grace if retention is None else retention)
    if isinstance(window, N.HoppingWindow):
        size, advance = window.size.millis, window.advance.millis
    elif isinstance(window, N.TumblingWindow):
        size = advance = window.size.millis
    else:
        raise TypeError(f"not a window clause: {window!r}")
    grace = max(DAY - size, 0) if grace is None else grace
    return TimeWindows(size, advance, grace, size + grace if retention is None else retention)


def join_grace(before: int, grace: int | None) -> int:
    """Grace of a stream-stream join; without a GRACE PERIOD, what is left of 24 hours after twice the window."""
    return max(DAY - 2 * before, 0) if grace is None else grace
