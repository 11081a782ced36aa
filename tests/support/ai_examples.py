"""The examples of docs/ai-functions.md: models small enough to train in seconds, behind all that they ask for."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

from tests.support.ai_function_page import PAGE
from udf_server.models.store import ModelStore
from udf_server.train_rows import Task, train_rows

_CASES = Path(__file__).resolve().parents[1] / "golden" / "ai"
STREAMS, ROWS, ANSWERS = _CASES / "streams.sql", _CASES / "rows.sql", _CASES / "answers.json"


def examples() -> dict[str, str]:
    """The SQL example of each function, by the function's name."""
    parts = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {
        part.split("\n", 1)[0]: sql for part in parts for sql in re.findall(r"```sql\n(.*?)\n```", part, re.S)
    }


def train_models(root: Path) -> None:
    """The models that the examples name."""
    store, chance = ModelStore(root), random.Random(1)

    def learn(name: str, rows: list[dict[str, Any]], **parts: Any) -> None:
        train_rows(rows, Task(**parts), store, name)

    cards = [
        {"AMOUNT": chance.lognormvariate(3, 1), "CUSTOMER_COUNT_1H": chance.randint(0, 9)} for _ in range(600)
    ]
    learn(
        "fraud",
        [{**c, "LABEL": int(c["AMOUNT"] > 40 and c["CUSTOMER_COUNT_1H"] > 4)} for c in cards],
        label="LABEL",
    )
    guests = [{"VISITS": chance.randint(0, 20), "SPENT": chance.uniform(0, 500)} for _ in range(600)]
    learn("churn", [{**g, "LABEL": int(g["VISITS"] < 4)} for g in guests], label="LABEL")
    learn(
        "segment",
        [{**g, "LABEL": ("low", "middle", "high")[int(g["SPENT"] // 170)]} for g in guests],
        label="LABEL",
    )
    parts = [
        {
            "TEMPERATURE": chance.gauss(300, 2),
            "SPEED": chance.gauss(1500, 150),
            "TORQUE": chance.gauss(40, 10),
        }
        | {"WEAR": chance.uniform(0, 250)}
        for _ in range(600)
    ]
    learn(
        "failure", [{**p, "LABEL": int(p["WEAR"] > 200 and p["TORQUE"] > 35)} for p in parts], label="LABEL"
    )
    runs = []
    for unit in range(12):
        life = chance.randint(60, 120)
        for left in range(life, 0, -1):
            worn = max(0.0, 1 - left / 60)
            heat = {"T24": 640 + 4 * worn, "T50": 1400 + 40 * worn, "P30": 554 - 4 * worn}
            runs.append({"ENGINE": f"e{unit}", **{k: v + chance.gauss(0, 0.3) for k, v in heat.items()}})
    learn("remaining-life", runs, series="ENGINE")
    had = [
        {"WHO": f"c{n}", "WHAT": f"{('tea', 'bolt')[n % 2]}{k}"}
        for n in range(40)
        for k in chance.sample(range(8), 4)
    ]
    learn("recommend", had, user="WHO", item="WHAT")
    lines = []
    for at in range(600):
        kind = ("normal", "dos", "probe")[at % 3]
        size = {"normal": 300, "dos": 1, "probe": 20_000}[kind] * chance.lognormvariate(0, 0.5)
        lines.append({"SERVICE": "private" if kind == "dos" else "http", "SRC_BYTES": size, "KIND": kind})
    learn("threat", lines, label="KIND")
    learn("customers", [{"ID": f"k{n}", "AGE": chance.randint(18, 90)} for n in range(400)], profile=True)
