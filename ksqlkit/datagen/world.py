"""Who pays and where: customers with habits, terminals with places, drawn once per seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEAR: Final = 24  # terminals a customer goes to
# A square of about 220 km; towns make customers and terminals cluster.
_CENTRE: Final = (48.2, 11.6)
_TOWNS: Final = 12


@dataclass(frozen=True, slots=True)
class World:
    """Arrays by customer number and by terminal number. `near` is customers by NEAR terminal numbers, closest
    first; `mean` is the customer's usual amount, `spread` its log-scale deviation, `rate` transactions a day,
    `hour` the hour of the day around which they shop."""

    home: NDArray[np.float64]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    rate: NDArray[np.float64]
    hour: NDArray[np.float64]
    place: NDArray[np.float64]
    near: NDArray[np.int64]


def build_world(customer_count: int, terminal_count: int, seed: int) -> World:
    """Draw customers and terminals; the same arguments give the same world."""
    import numpy as np

    rng = np.random.default_rng((seed, 1))
    towns = rng.uniform(-1.0, 1.0, (_TOWNS, 2))

    def settle(count: int) -> NDArray[np.float64]:
        return towns[rng.integers(0, _TOWNS, count)] + rng.normal(0.0, 0.08, (count, 2)) + _CENTRE

    home, place = settle(customer_count), settle(terminal_count)
    near = np.empty((customer_count, min(NEAR, terminal_count)), dtype=np.int64)
    for start in range(0, customer_count, 512):
        chunk = home[start : start + 512]
        distance = ((chunk[:, None, :] - place[None, :, :]) ** 2).sum(axis=2)
        near[start : start + 512] = np.argsort(distance, axis=1, kind="stable")[:, : near.shape[1]]
    return World(
        home=home,
        mean=np.exp(rng.normal(3.4, 0.6, customer_count)),
        spread=rng.uniform(0.3, 0.7, customer_count),
        rate=rng.gamma(3.0, 0.7, customer_count) + 0.2,
        hour=rng.normal(14.0, 3.0, customer_count) % 24.0,
        place=place,
        near=near,
    )


def sizes(rows: int) -> tuple[int, int]:
    """How many customers and terminals a number of transactions is drawn for."""
    return max(20, min(5000, rows // 100)), max(12, min(2500, rows // 200))


def customers(rows: int = 200_000, *, seed: int = 7) -> Iterator[dict[str, Any]]:
    """The customers of `transactions(rows, seed=seed)`: CUSTOMER_ID, HOME_LATITUDE, HOME_LONGITUDE,
    USUAL_AMOUNT."""
    world = build_world(*sizes(rows), seed)
    for number, ((latitude, longitude), mean) in enumerate(
        zip(world.home.tolist(), world.mean.tolist(), strict=True)
    ):
        yield {
            "CUSTOMER_ID": number + 1,
            "HOME_LATITUDE": round(latitude, 5),
            "HOME_LONGITUDE": round(longitude, 5),
            "USUAL_AMOUNT": round(mean, 2),
        }


def terminals(rows: int = 200_000, *, seed: int = 7) -> Iterator[dict[str, Any]]:
    """The terminals of `transactions(rows, seed=seed)`: TERMINAL_ID, LATITUDE, LONGITUDE."""
    world = build_world(*sizes(rows), seed)
    for number, (latitude, longitude) in enumerate(world.place.tolist()):
        yield {"TERMINAL_ID": number + 1, "LATITUDE": round(latitude, 5), "LONGITUDE": round(longitude, 5)}
