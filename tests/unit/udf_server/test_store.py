from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.models import linear_model
from udf_server.batch import Batch
from udf_server.errors import ModelError
from udf_server.models.store import ModelStore
from udf_server.service import Service


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    made = ModelStore(tmp_path)
    linear_model(made, "fraud", [1.0])
    linear_model(made, "fraud", [-1.0], promote=False)
    return made


def test_promote_rollback_canary_and_shadow_move_the_aliases(store: ModelStore) -> None:
    store.set_canary("fraud", 2, 0.25)
    store.set_shadow("fraud", 2)
    assert store.aliases("fraud") == {"live": 1, "canary": 2, "shadow": 2}
    assert store.canary("fraud") == (2, 0.25)
    store.promote("fraud", 2)
    assert store.aliases("fraud") == {"live": 2, "previous": 1}
    assert store.rollback("fraud") == 1
    assert store.rollback("fraud") == 2
    store.set_shadow("fraud", 1)
    store.set_shadow("fraud", None)
    assert "shadow" not in store.aliases("fraud")


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_is_a_share(store: ModelStore, share: float) -> None:
    with pytest.raises(ModelError, match="share"):
        store.set_canary("fraud", 2, share)


def test_a_corrupt_version_is_neither_promoted_nor_canary_nor_shadow(store: ModelStore) -> None:
    path = store.root / "fraud" / "2" / "model.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    for move in (store.promote, store.set_canary, store.set_shadow):
        with pytest.raises(ModelError, match="corrupt"):
            move("fraud", 2)
    assert store.aliases("fraud") == {"live": 1}
    with pytest.raises(ModelError, match="no model"):
        store.set_shadow("nobody", None)


@pytest.mark.parametrize("text", ["[]", '{"live": "1"}', '{"live": 1, "canary": 2}', "{"])
def test_malformed_aliases_are_an_error_and_the_old_ones_stay(store: ModelStore, text: str) -> None:
    service = Service(store.root)
    assert service.models.serving("fraud") == 1
    service.models.get("fraud")
    service.look()
    (store.root / "fraud" / "aliases.json").write_text(text)
    service.look()
    assert "aliases.json" in service.models.errors["fraud"]
    assert service.models.serving("fraud") == 1


def test_a_canary_answers_its_share_and_pinned_calls_never(store: ModelStore) -> None:
    store.set_canary("fraud", 2, 0.25)

    async def act() -> None:
        service = Service(store.root)
        service.look()
        rows = Batch.of([[2.0]])
        answers = [await service.call("FRAUD_SCORE", None, rows) for _ in range(100)]
        assert sum(a.version == 2 for a in answers) == 25
        assert all((a.values[0] < 0.5) == (a.version == 2) for a in answers)
        assert {(await service.call("FRAUD_SCORE", 1, rows)).version for _ in range(20)} == {1}
        assert service.metrics.versions.value(model="fraud", version="2") == 25
        await service.drain()

    asyncio.run(act())


@pytest.mark.parametrize("quick", [False, True], ids=["columns", "matrix"])
def test_a_shadow_is_compared_and_answers_nobody(store: ModelStore, quick: bool) -> None:
    store.set_shadow("fraud", 2)

    async def act() -> None:
        service = Service(store.root)
        service.look()
        given = Batch.of([[2.0], [0.0], ["x"]])
        if quick:
            given = Batch.of_numbers([[0, 2.0], [1, 0.0]])
            assert given is not None
        answer = await service.call("FRAUD_SCORE", None, given)
        assert answer.version == 1
        assert answer.values[0] > 0.5
        await asyncio.gather(*(lane.drained() for lane in service._lanes.values()))
        counted = {
            o: service.metrics.shadowed.value(model="fraud", version="2", outcome=o)
            for o in ("same", "different", "failed")
        }
        assert counted == {"same": 1, "different": 1, "failed": 0}
        await service.drain()

    asyncio.run(act())
