from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from ksqlkit.errors import DataError
from tests.support.scoring import ask
from udf_server.models.store import ModelStore
from udf_server.threat.rules import payload_rules
from udf_server.threat.training import train_threat
from udf_server.train_rows import Task, train_rows


def connections(count: int, kinds: tuple[str, ...], seed: int = 1) -> list[dict[str, Any]]:
    rnd = random.Random(seed)
    out = []
    for _ in range(count):
        kind = rnd.choice(kinds)
        rate, size = {"normal": (5, 300), "flood": (400, 10), "scan": (120, 0), "burst": (700, 5)}[kind]
        out.append(
            {
                "SERVICE": "http" if kind == "normal" or rnd.random() < 0.3 else "private",
                "RATE": rnd.gauss(rate, 4),
                "BYTES": rnd.gauss(size, 20),
                "KIND": kind,
            }
        )
    return out


@pytest.mark.slow
def test_a_kind_never_seen_is_an_attack_and_known_ones_are_named(tmp_path: Path) -> None:
    rows = connections(600, ("normal", "normal", "flood", "scan"))
    made = train_rows(rows, Task(label="KIND"), ModelStore(tmp_path), "threat")
    assert made.metrics["unseen_recall"] > 0.9
    asked = [
        {k: v for k, v in row.items() if k != "KIND"}
        for kind in ("normal", "flood", "burst")
        for row in connections(1, (kind,), seed=5)
    ]
    bare, detail = ask(
        tmp_path,
        ("THREAT_SCORE", [[row] for row in [*asked, {"RATE": None}, {"NOPE": 1}]]),
        ("THREAT_SCORE_DETAIL", [[asked[1]]]),
    )
    normal, flood, burst, missing, _ = bare.values
    assert normal["SCORE"] < 0.5
    assert normal["KIND"] is None
    assert flood["SCORE"] > 0.5
    assert flood["KIND"] == "flood"
    assert burst["SCORE"] > 0.5
    assert 0 <= missing["SCORE"] <= 1
    assert [(r, c) for r, c, _ in bare.errors] == [(4, "INVALID_INPUT")]
    assert set(detail.values[0]["ATTRIBUTIONS"]) == {"SERVICE", "RATE", "BYTES"}


def test_rows_of_one_kind_cannot_teach(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="some of kind 'normal'"):
        train_threat({"A": [1.0, 2.0]}, ["normal", "normal"], ModelStore(tmp_path))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1' or '1'='1", "sqli"),
        ("-1 union all select 1,2,concat(user()) from users", "sqli"),
        ("1; drop table users --", "sqli"),
        ("%27%20OR%201%3D1--", "sqli"),
        ("<script>alert(1)</script>", "xss"),
        ("%253Cscript%253Ealert(1)%253C/script%253E", "xss"),
        ('"><img src=x onerror=alert(1)>', "xss"),
        ("; cat /var/log/x", "cmdi"),
        ("| whoami", "cmdi"),
        ('<!--#exec cmd="/bin/ls /" -->', "cmdi"),
        ("../../../etc/passwd", "path-traversal"),
        ("..%2f..%2fetc%2fshadow", "path-traversal"),
        ("campello, el", None),
        ("c/ caridad s/n", None),
        ("tufts3@joll.rs", None),
        ("O'Brien", None),
        ("black and white", None),
        ("please select a table from the menu or order", None),
        ("", None),
    ],
)
def test_rules_tell_attacks_from_ordinary_values(text: str, kind: str | None) -> None:
    assert payload_rules(text)["KIND"] == kind


def test_a_megabyte_of_payload_is_quick_enough(tmp_path: Path) -> None:
    values = ask(tmp_path, ("PAYLOAD_THREAT", [["a' or " * 200_000], ["'" * 1_000_000]]))[0].values
    assert values[0]["SCORE"] > 0.5
