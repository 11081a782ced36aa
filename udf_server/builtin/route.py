"""ROUTE and ROUTE_FEEDBACK: choose one of several ways, and learn from what came of it."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from udf_server.context import Context
from udf_server.function import RowError, function, too_long
from udf_server.memory.packing import pack, unpack
from udf_server.routing.bandit import MOST_ROUTES, Bandit, encode

SPACE: Final = "route"
_DEFAULT: Final = "default"
_IDS: Final = 5000  # latest feedback of a policy, known by its id

_Contexts = Sequence[Mapping[str, float | None]]


class _Policies:
    """The bandits of a call, read when first asked for."""

    def __init__(self, space: Any) -> None:
        self._space = space
        self._open: dict[str, tuple[Bandit, dict[str, None]]] = {}

    def __getitem__(self, name: str) -> tuple[Bandit, dict[str, None]]:
        if name not in self._open:
            content = self._space.get(name)
            state = unpack(content) if content is not None else None
            ids = dict.fromkeys(state["ids"] if state else ())
            self._open[name] = (Bandit.of_state(state) if state else Bandit(), ids)
        return self._open[name]

    def save(self) -> None:
        for name, (bandit, ids) in self._open.items():
            self._space.put(name, pack({**bandit.state(), "ids": list(ids)[-_IDS:]}))


@contextmanager
def _policies(context: Context, change: bool) -> Iterator[_Policies]:
    with context.memory.transaction(SPACE) as space:
        found = _Policies(space)
        yield found
        if change:
            found.save()


def _refusal(
    policy: str, given: Mapping[str, float | None], routes: Sequence[str | None], mark: str | None = None
) -> RowError | None:
    for what, name in (("a policy's name", policy), ("an id", mark), *(("a route", r) for r in routes)):
        if error := too_long(what, name):
            return error
    if not 1 <= len(routes) <= MOST_ROUTES or None in routes:
        return RowError(f"give 1 to {MOST_ROUTES} routes, none of them NULL")
    if any(v is not None and not math.isfinite(v) for v in given.values()):
        return RowError("a number of the context is NaN or infinite")
    return None


def _expected(
    context: Context, names: Sequence[str], contexts: _Contexts, routes: Sequence[Sequence[Any]]
) -> list[dict[str, float] | None]:
    with _policies(context, change=False) as policies:
        return [
            None
            if _refusal(name, given, some)
            else {r: policies[name][0].expected(encode(given), r) for r in some}
            for name, given, some in zip(names, contexts, routes, strict=True)
        ]


def _attributions(context: Context, *columns: Sequence[Any]) -> list[dict[str, float] | None]:
    return _expected(context, *(columns if len(columns) == 3 else ([_DEFAULT] * len(columns[0]), *columns)))


@function(
    "ROUTE(context MAP<VARCHAR, DOUBLE>, routes ARRAY<VARCHAR>) -> VARCHAR",
    context=True,
    deterministic=False,
    batch_limit=2000,
    timeout=30.0,
    attributions=_attributions,
    example="SELECT ID, ROUTE(MAP('AMOUNT' := AMOUNT), ARRAY['bank a', 'bank b']) AS BANK FROM PAYMENTS EMIT CHANGES;",
)
def route(context: Context, contexts: _Contexts, routes: Sequence[Sequence[Any]]) -> list[Any]:
    """One of the routes: mostly the one whose reward is expected to be highest in this context, now and then one that
    little is known of. Tell it what came of a choice with ROUTE_FEEDBACK. With a policy's name first, policies learn
    apart. The DETAIL form's attributions are the expected rewards."""
    result: list[Any] = _chosen(context, [_DEFAULT] * len(contexts), contexts, routes)
    return result


@route.overload("ROUTE(policy VARCHAR, context MAP<VARCHAR, DOUBLE>, routes ARRAY<VARCHAR>) -> VARCHAR")
def _chosen(
    context: Context, names: Sequence[str], contexts: _Contexts, routes: Sequence[Sequence[Any]]
) -> list[Any]:
    out: list[Any] = []
    with _policies(context, change=True) as policies:
        for name, given, some in zip(names, contexts, routes, strict=True):
            seed = zlib.crc32(name.encode())
            out.append(_refusal(name, given, some) or policies[name][0].choose(encode(given), some, seed))
    return out


@function(
    "ROUTE_FEEDBACK(policy VARCHAR, context MAP<VARCHAR, DOUBLE>, route VARCHAR, reward DOUBLE, id VARCHAR) -> DOUBLE",
    context=True,
    deterministic=False,
    batch_limit=2000,
    timeout=30.0,
    example="SELECT ROUTE_FEEDBACK('default', MAP('AMOUNT' := AMOUNT), BANK, PAID, ID) AS EXPECTED FROM RESULTS "
    "EMIT CHANGES;",
)
def route_feedback(
    context: Context,
    names: Sequence[str],
    contexts: _Contexts,
    routes: Sequence[str],
    rewards: Sequence[float],
    ids: Sequence[str | None],
) -> list[Any]:
    """Learn the reward (more is better) of a route that was taken, and give what is expected of it now. The same id is
    learned once. ROUTE without a policy asks the one named 'default'."""
    out: list[Any] = []
    with _policies(context, change=True) as policies:
        for name, given, taken, reward, mark in zip(names, contexts, routes, rewards, ids, strict=True):
            error = _refusal(name, given, [taken], mark)
            if error is None and not (math.isfinite(reward) and abs(reward) < 1e12):
                error = RowError("the reward is NaN, infinite or past 1e12")
            if error is not None:
                out.append(error)
                continue
            bandit, seen = policies[name]
            if taken not in bandit.precision and len(bandit.precision) >= MOST_ROUTES:
                out.append(RowError(f"policy {name[:40]!r} knows {MOST_ROUTES} routes already"))
                continue
            vector = encode(given)
            if mark is None or mark not in seen:
                bandit.learn(vector, taken, reward)
                if mark is not None:
                    seen[mark] = None
            out.append(bandit.expected(vector, taken))
    return out


@route_feedback.overload(
    "ROUTE_FEEDBACK(policy VARCHAR, context MAP<VARCHAR, DOUBLE>, route VARCHAR, reward DOUBLE) -> DOUBLE"
)
def _without_id(
    context: Context,
    names: Sequence[str],
    contexts: _Contexts,
    routes: Sequence[str],
    rewards: Sequence[float],
) -> list[Any]:
    result: list[Any] = route_feedback(context, names, contexts, routes, rewards, [None] * len(names))
    return result
