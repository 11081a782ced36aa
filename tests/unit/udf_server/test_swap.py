from __future__ import annotations

import asyncio
import random
from pathlib import Path

import orjson

from tests.support.models import linear_model
from udf_server.batch import Batch
from udf_server.http.app import App
from udf_server.http.message import Request
from udf_server.models.store import ModelStore
from udf_server.service import Service

WEIGHTS = {1: 1.0, 2: -1.0, 3: 5.0}


def published(root: Path) -> ModelStore:
    store = ModelStore(root)
    for version, weight in WEIGHTS.items():
        linear_model(store, "fraud", [weight], promote=version == 1)
    return store


def test_a_model_swapped_under_load_never_mixes_versions(tmp_path: Path) -> None:
    store = published(tmp_path)

    async def act() -> None:
        service = Service(tmp_path)
        app = App(service)
        alone = {v: (await service.call("FRAUD_SCORE", v, Batch.of([[1.5]]))).values[0] for v in WEIGHTS}
        assert len(set(alone.values())) == 3
        chance = random.Random(3)
        answered: list[int] = []
        over = False

        async def caller(pinned: int | None) -> None:
            path = f"/v1/functions/FRAUD_SCORE{f'@{pinned}' if pinned else ''}:batch"
            while not over:
                rows = chance.randint(1, 40)
                body = orjson.dumps({"data": [[i, 1.5] for i in range(rows)]})
                response = await app.handle(Request("POST", path, {}, body))
                found = orjson.loads(response.body)
                version = found["version"]
                assert response.status == 200
                assert pinned in (None, version)
                assert found["data"] == [[i, alone[version]] for i in range(rows)]
                answered.append(version)
                await asyncio.sleep(0)

        callers = [asyncio.create_task(caller(p)) for p in (None, None, None, 1, 3)]
        loop = asyncio.get_running_loop()
        for version in (2, 3, 1, 2, 3):
            store.promote("fraud", version)
            await loop.run_in_executor(None, service.look)
            service.adopt()
            await asyncio.sleep(0.03)
        over = True
        await asyncio.gather(*callers)
        assert set(answered) == {1, 2, 3}
        await service.drain()

    asyncio.run(act())


def test_a_corrupt_file_is_refused_and_the_old_version_keeps_serving(tmp_path: Path) -> None:
    store = published(tmp_path)

    async def act() -> None:
        service = Service(tmp_path)
        before = (await service.call("FRAUD_SCORE", None, Batch.of([[1.5]]))).values
        service.look()
        broken = tmp_path / "fraud" / "2" / "model.npz"
        broken.write_bytes(broken.read_bytes()[:-4] + b"evil")
        (tmp_path / "fraud" / "aliases.json").write_text('{"live": 2}')
        assert service.look()
        service.adopt()
        assert "corrupt" in service.models.errors["fraud"]
        answer = await service.call("FRAUD_SCORE", None, Batch.of([[1.5]]))
        assert (answer.values, answer.version) == (before, 1)
        named = await service.call("FRAUD_SCORE", 2, Batch.of([[1.5]]))
        assert [(r, c) for r, c, _ in named.errors] == [(0, "UNAVAILABLE")]
        store.promote("fraud", 3)
        service.look()
        assert (await service.call("FRAUD_SCORE", None, Batch.of([[1.5]]))).version == 3
        assert service.models.errors == {}
        await service.drain()

    asyncio.run(act())
