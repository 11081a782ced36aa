"""Implicit factorization by alternating least squares (Hu, Koren and Volinsky 2008)."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

from ksqlkit.errors import DataError
from udf_server.errors import ModelError
from udf_server.models.store import Metadata, ModelStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.int64]

_ROUNDS: Final = 10
_CONFIDENCE: Final = 20.0  # what one event adds to the confidence of a pair
_REGULARIZATION: Final = 5.0
MOST_ITEMS: Final = 1000


class FactorModel:
    """Users, items, their factors, and what each user had already; from .npz."""

    def __init__(self, metadata: Metadata, content: bytes) -> None:
        import numpy as np

        self.metadata = metadata
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            self._users = {name: at for at, name in enumerate(arrays["users"].tolist())}
            self._items: list[str] = arrays["items"].tolist()
            self._places = {name: at for at, name in enumerate(self._items)}
            self._user_factors: Floats = arrays["user_factors"].astype(np.float64)
            self._item_factors: Floats = arrays["item_factors"].astype(np.float64)
            self._popularity: Floats = arrays["popularity"]
            self._starts, self._had = arrays["starts"], arrays["had"]
        if len(self._user_factors) != len(self._users) or len(self._item_factors) != len(self._items):
            raise ModelError("its factors do not fit its users and items")

    def recommend(self, user: str, count: int) -> list[tuple[str, float]]:
        """The best items that the user did not have, with their scores (near 1: as good as had). For a user never seen,
        the most popular items with the share of users who had them."""
        import numpy as np

        at = self._users.get(user)
        if at is None:
            scores = self._popularity.copy()
        else:
            scores = self._item_factors @ self._user_factors[at]
            scores[self._had[self._starts[at] : self._starts[at + 1]]] = -np.inf
        best = np.argsort(-scores, kind="stable")[:count]
        return [(self._items[i], float(scores[i])) for i in best if np.isfinite(scores[i])]

    def rank(self, user: str, item: str, had: Collection[str]) -> int | None:
        """Where an item stands for a user, from 1, among all but those in `had`; None for an item never seen."""
        place = self._places.get(item)
        if place is None:
            return None
        at = self._users.get(user)
        scores = self._popularity if at is None else self._item_factors @ self._user_factors[at]
        above = scores > scores[place]
        known = [self._places[other] for other in had if other in self._places]
        return 1 + int(above.sum()) - int(above[known].sum())

    def predict(self, matrix: Floats) -> Floats:  # noqa: ARG002
        """Not a model of rows."""
        raise ModelError(f"model {self.metadata.name} recommends: ask RECOMMEND")

    probabilities = predict

    def attributions(self, matrix: Floats, exact: bool = False) -> Floats:  # noqa: ARG002
        """Not a model of rows."""
        return self.predict(matrix)


def train_recommender(
    users: Sequence[Any],
    items: Sequence[Any],
    weights: Sequence[float] | None,
    store: ModelStore,
    name: str = "recommend",
    *,
    size: int = 32,
    seed: int = 7,
    promote: bool = True,
    description: str = "",
) -> Metadata:
    """Train on events (user, item, weight; 1 without weights) and publish. The last item of each user with three or
    more is held out for recall_at_10, then all events are fitted. Raises DataError for too few."""
    import numpy as np

    pairs: dict[tuple[str, str], float] = defaultdict(float)
    for at, (user, item) in enumerate(zip(users, items, strict=True)):
        if user is not None and item is not None:
            pairs[str(user), str(item)] += 1.0 if weights is None else max(float(weights[at] or 0.0), 0.0)
    user_names = sorted({u for u, _ in pairs})
    item_names = sorted({i for _, i in pairs})
    if len(user_names) < 2 or len(item_names) < 2:
        raise DataError(f"{len(user_names)} users and {len(item_names)} items are too few to learn from")
    user_at = {n: i for i, n in enumerate(user_names)}
    item_at = {n: i for i, n in enumerate(item_names)}
    had: list[dict[int, float]] = [{} for _ in user_names]
    for (user, item), weight in pairs.items():
        had[user_at[user]][item_at[item]] = weight
    metrics = _recall(had, len(item_names), size, seed)
    user_factors, item_factors = factorize(had, len(item_names), size, seed)
    popularity = np.zeros(len(item_names))
    for one in had:
        popularity[list(one)] += 1.0 / len(had)
    out = io.BytesIO()
    np.savez_compressed(
        out,
        users=np.array(user_names),
        items=np.array(item_names),
        user_factors=user_factors.astype(np.float32),
        item_factors=item_factors.astype(np.float32),
        popularity=popularity,
        starts=np.cumsum([0, *map(len, had)]),
        had=np.array([i for one in had for i in one], dtype=np.int64),
    )
    return store.publish(
        name,
        out.getvalue(),
        kind="factors",
        file="model.npz",
        features=(),
        metrics=metrics,
        settings={"factors": user_factors.shape[1]},
        training_data={
            "description": description,
            "rows": len(users),
            "users": len(had),
            "items": len(item_names),
        },
        promote=promote,
    )


def factorize(had: Sequence[dict[int, float]], items: int, size: int, seed: int) -> tuple[Floats, Floats]:
    """Factors of users and items from each user's weights by item."""
    import numpy as np

    size = min(size, items, len(had))
    rng = np.random.default_rng(seed)
    by_user = [_arrays(one) for one in had]
    turned: list[dict[int, float]] = [{} for _ in range(items)]
    for user, one in enumerate(had):
        for item, weight in one.items():
            turned[item][user] = weight
    by_item = [_arrays(one) for one in turned]
    users_factors = np.zeros((len(had), size))
    item_factors = rng.normal(0.0, 0.1, (items, size))
    for _ in range(_ROUNDS):
        _solve(users_factors, item_factors, by_user)
        _solve(item_factors, users_factors, by_item)
    _solve(users_factors, item_factors, by_user)
    return users_factors, item_factors


def _arrays(one: dict[int, float]) -> tuple[Numbers, Floats]:
    import numpy as np

    return np.array(list(one), dtype=np.int64), np.array(list(one.values()), dtype=np.float64)


def _solve(wanted: Floats, fixed: Floats, known: Sequence[tuple[Numbers, Floats]]) -> None:
    """One half of a round: the least squares of each row of `wanted`, the other side held."""
    import numpy as np

    whole = fixed.T @ fixed + _REGULARIZATION * np.eye(fixed.shape[1])
    for at, (others, weights) in enumerate(known):
        if others.size:
            part = fixed[others]
            extra = _CONFIDENCE * weights
            wanted[at] = np.linalg.solve(whole + (part.T * extra) @ part, part.T @ (1.0 + extra))


def _recall(had: Sequence[dict[int, float]], items: int, size: int, seed: int) -> dict[str, float]:
    import numpy as np

    held = {user: next(reversed(one)) for user, one in enumerate(had) if len(one) >= 3}
    if not held:
        return {}
    kept = [{i: w for i, w in one.items() if held.get(user) != i} for user, one in enumerate(had)]
    users, factors = factorize(kept, items, size, seed)
    popular = np.zeros(items)
    for one in kept:
        popular[list(one)] += 1.0
    hits = popular_hits = 0
    for user, item in held.items():
        scores, base = factors @ users[user], popular.copy()
        scores[list(kept[user])] = base[list(kept[user])] = -np.inf
        hits += int((scores > scores[item]).sum() < 10)
        popular_hits += int((base > base[item]).sum() < 10)
    return {"recall_at_10": hits / len(held), "recall_at_10_of_popular": popular_hits / len(held)}
