"""Card transactions in time order, with the kind of fraud each one is (or none)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from ksqlkit.datagen.world import World, build_world, sizes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    # Columns of a group of transactions: customer, terminal, time in ms from the start, amount.
    Draw = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]

START_MS: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
KINDS: Final = ("NONE", "AMOUNT_OUT_OF_HABIT", "COMPROMISED_TERMINAL", "STOLEN_CARD")
_FRAUD_SHARE: Final = 0.018
_KIND_SHARES: Final = (0.25, 0.40, 0.35)
_SPREE_SHARE: Final = (
    0.06  # honest transactions that come in quick succession, so that haste alone proves nothing
)


def transactions(rows: int = 200_000, *, seed: int = 7, start_ms: int = START_MS) -> Iterator[dict[str, Any]]:
    """Yield `rows` transactions: TX_ID (from 1), TX_TIME (ms), CUSTOMER_ID, TERMINAL_ID, AMOUNT, IS_FRAUD (0
    or 1) and FRAUD_KIND, by ascending time.

    AMOUNT_OUT_OF_HABIT: a few purchases of several times the customer's usual amount. COMPROMISED_TERMINAL:
    for some days cards skimmed at a terminal are tried there, many small amounts. STOLEN_CARD: within hours,
    many purchases of one customer at terminals anywhere. Raises ValueError for a negative number of rows.
    """
    if rows < 0:
        raise ValueError(f"the number of rows must not be negative, not {rows}")
    if rows == 0:
        return
    import numpy as np

    world = build_world(*sizes(rows), seed)
    rng = np.random.default_rng((seed, 2))
    fraud = round(rows * _FRAUD_SHARE)
    counts = [round(fraud * share) for share in _KIND_SHARES]
    honest = rows - sum(counts)
    span = max(DAY_MS, int(honest / world.rate.sum() * DAY_MS))
    draws = [
        _honest(world, rng, honest, span),
        _out_of_habit(world, rng, counts[0], span),
        _compromised(world, rng, counts[1], span),
        _stolen(world, rng, counts[2], span),
    ]
    kinds = np.repeat(np.arange(len(draws)), [d[0].size for d in draws])
    customer, terminal, time, amount = (np.concatenate(column) for column in zip(*draws, strict=True))
    order = np.argsort(time, kind="stable")
    columns = (
        range(1, rows + 1),
        (time[order] + start_ms).tolist(),
        (customer[order] + 1).tolist(),
        (terminal[order] + 1).tolist(),
        np.round(np.clip(amount[order], 0.5, 20_000.0), 2).tolist(),
        kinds[order].tolist(),
    )
    for number, when, who, where, price, kind in zip(*columns, strict=True):
        yield {
            "TX_ID": number,
            "TX_TIME": when,
            "CUSTOMER_ID": who,
            "TERMINAL_ID": where,
            "AMOUNT": price,
            "IS_FRAUD": 1 if kind else 0,
            "FRAUD_KIND": KINDS[kind],
        }


def _usual(world: World, rng: np.random.Generator, customer: NDArray[np.int64]) -> NDArray[np.float64]:
    """Amounts as the customers usually spend: log-normal around each one's own."""
    import numpy as np

    noise = np.exp(rng.normal(0.0, 1.0, customer.size) * world.spread[customer])
    amounts: NDArray[np.float64] = world.mean[customer] * noise
    return amounts


def _shopping_time(
    world: World, rng: np.random.Generator, customer: NDArray[np.int64], span: int
) -> NDArray[np.int64]:
    import numpy as np

    days = rng.integers(0, max(1, span // DAY_MS), customer.size)
    hours = (world.hour[customer] + rng.normal(0.0, 3.5, customer.size)) % 24.0
    return np.asarray(days * DAY_MS + (hours * HOUR_MS), dtype=np.int64)


def _nearby(world: World, rng: np.random.Generator, customer: NDArray[np.int64]) -> NDArray[np.int64]:
    """A terminal near home, the closest ones more often."""
    rank = (rng.random(customer.size) ** 2 * world.near.shape[1]).astype("int64")
    found: NDArray[np.int64] = world.near[customer, rank]
    return found


def _honest(world: World, rng: np.random.Generator, count: int, span: int) -> Draw:
    import numpy as np

    customer = rng.choice(world.rate.size, count, p=world.rate / world.rate.sum())
    time = _shopping_time(world, rng, customer, span)
    # A spree: some follow another transaction of the same customer within half an hour.
    followers = np.flatnonzero(rng.random(count) < _SPREE_SHARE)
    leaders = rng.integers(0, count, followers.size)
    customer[followers] = customer[leaders]
    time[followers] = time[leaders] + rng.integers(60_000, 30 * 60_000, followers.size)
    return customer, _nearby(world, rng, customer), time, _usual(world, rng, customer)


def _episodes(rng: np.random.Generator, count: int, mean_size: float) -> NDArray[np.int64]:
    """The episode of each of `count` transactions; episodes have at least one and about `mean_size`."""
    import numpy as np

    lengths = rng.poisson(mean_size - 1.0, max(1, count)) + 1
    return np.asarray(np.repeat(np.arange(lengths.size), lengths)[:count], dtype=np.int64)


def _out_of_habit(world: World, rng: np.random.Generator, count: int, span: int) -> Draw:
    episode = _episodes(rng, count, 3.0)
    size = int(episode.max(initial=0)) + 1
    who = rng.integers(0, world.rate.size, size)
    begin = rng.integers(0, span, size)
    customer = who[episode]
    time = begin[episode] + rng.integers(0, 18 * HOUR_MS, count)
    amount = _usual(world, rng, customer) * rng.uniform(3.0, 9.0, count)
    return customer, _nearby(world, rng, customer), time, amount


def _compromised(world: World, rng: np.random.Generator, count: int, span: int) -> Draw:
    episode = _episodes(rng, count, 45.0)
    size = int(episode.max(initial=0)) + 1
    where = rng.integers(0, world.place.shape[0], size)
    begin = rng.integers(0, span, size)
    customer = rng.integers(0, world.rate.size, count)
    time = begin[episode] + rng.integers(0, 30 * HOUR_MS, count)
    amount = _usual(world, rng, customer) * rng.uniform(0.2, 0.8, count)
    return customer, where[episode], time, amount


def _stolen(world: World, rng: np.random.Generator, count: int, span: int) -> Draw:
    episode = _episodes(rng, count, 10.0)
    size = int(episode.max(initial=0)) + 1
    who = rng.integers(0, world.rate.size, size)
    begin = rng.integers(0, span, size)
    customer = who[episode]
    terminal = rng.integers(0, world.place.shape[0], count)
    time = begin[episode] + rng.integers(0, 3 * HOUR_MS, count)
    amount = _usual(world, rng, customer) * rng.uniform(0.8, 2.2, count)
    return customer, terminal, time, amount
