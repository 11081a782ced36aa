"""A contextual bandit: Thompson sampling over a Bayesian linear model of each route's reward
(Agrawal and Goyal 2013)."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WIDTH: Final = 16  # places that the context's features are hashed to, besides the constant
MOST_ROUTES: Final = 100
_LEAST_SPREAD: Final = 0.05


def encode(context: Mapping[str, float | None]) -> Floats:
    """A context of named numbers as a vector: a constant, then each number in the place and with the sign of its name's
    hash, squashed so that no scale takes over."""
    import numpy as np

    out = np.zeros(WIDTH + 1)
    out[0] = 1.0
    for name, value in context.items():
        if value is not None:
            mark = zlib.crc32(name.upper().encode())
            sign = 1.0 if mark & 1 << 16 else -1.0
            out[1 + mark % WIDTH] += sign * np.sign(value) * np.log1p(abs(value))
    return out


class Bandit:
    """The routes of one policy: what is known of each. Rewards are any finite numbers, more is better."""

    def __init__(self) -> None:
        self.precision: dict[str, Floats] = {}
        self.pull: dict[str, Floats] = {}
        self.decisions = 0
        self.rewards = 0
        self.mean = 0.0
        self.square = 0.0  # sum of squared distances from the mean reward

    def expected(self, context: Floats, route: str) -> float:
        """The mean reward of a route in a context, as far as is known."""
        import numpy as np

        if route not in self.precision:
            return self.mean
        return self.mean + float(context @ np.linalg.solve(self.precision[route], self.pull[route]))

    def choose(self, context: Floats, routes: Sequence[str], seed: int) -> str:
        """The route that is best in one draw of what the rewards may be: unsure ones are tried now and then."""
        import numpy as np

        rng = np.random.default_rng([seed, self.decisions])
        self.decisions += 1
        best, highest = routes[0], -np.inf
        for route in routes:
            precision = self.precision.get(route)
            spread = float(context @ (context if precision is None else np.linalg.solve(precision, context)))
            drawn = self.expected(context, route) + self.spread * np.sqrt(spread) * rng.normal()
            if drawn > highest:
                best, highest = route, drawn
        return best

    @property
    def spread(self) -> float:
        """The rewards' standard deviation; 1 before two are known."""
        if self.rewards < 2:
            return 1.0
        return max(float((self.square / (self.rewards - 1)) ** 0.5), _LEAST_SPREAD)

    def learn(self, context: Floats, route: str, reward: float) -> None:
        """Count the reward of a route in a context."""
        import numpy as np

        self.rewards += 1
        before = self.mean
        self.mean += (reward - before) / self.rewards
        self.square += (reward - before) * (reward - self.mean)
        if route not in self.precision:
            self.precision[route] = np.eye(WIDTH + 1)
            self.pull[route] = np.zeros(WIDTH + 1)
        self.precision[route] += np.outer(context, context)
        self.pull[route] += (reward - self.mean) * context

    def state(self) -> dict[str, Any]:
        """For `packing`."""
        import numpy as np

        routes = list(self.precision)
        return {
            "routes": routes,
            "precision": np.array([self.precision[r] for r in routes]).reshape(-1, WIDTH + 1, WIDTH + 1),
            "pull": np.array([self.pull[r] for r in routes]).reshape(-1, WIDTH + 1),
            "numbers": [self.decisions, self.rewards, self.mean, self.square],
        }

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Bandit:
        """What `state` gave."""
        made = cls()
        made.precision = dict(zip(state["routes"], state["precision"], strict=True))
        made.pull = dict(zip(state["routes"], state["pull"], strict=True))
        made.decisions, made.rewards, made.mean, made.square = state["numbers"]
        return made
