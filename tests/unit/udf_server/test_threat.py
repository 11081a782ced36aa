from __future__ import annotations

import random
import time
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


@pytest.mark.parametrize(
    "text",
    [
        "sleep 8 hours",
        "the benchmark (SPEC) was run",
        "price > 5 and size < 10",
        "he or she is 5",
        "Tom and Jerry is good",
        'the "best" and cheapest',
        "me and you = love",
        "tea or coffee = free",
        "drop table reservation for two",
        "delete from my list please",
        "update me set reminder",
        "insert into the slot",
        "create user account",
        "grant access to Bob",
        "group by 2 people",
        "in case when it rains then it pours",
        "cost is 5; select an option",
        "file the report; drop me a line",
        "the alert (red) was raised",
        "please confirm. Thanks",
        "go to <a place>",
        "sound system (stereo)",
        "cats & dogs; cat food",
        "salt & pepper; echo chamber",
        "id=1&type=2",
        "I use PowerShell",
        "`code` sample",
        "C:\\Users\\me",
        "D:/photos/2024",
    ],
)
def test_prose_with_words_of_attacks_is_none(text: str) -> None:
    assert payload_rules(text)["KIND"] is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("rm -rf /", "cmdi"),
        ("sudo rm -r -f ~", "cmdi"),
        ("dd if=/dev/zero of=/dev/sda", "cmdi"),
        ("1; cat secrets", "cmdi"),
        ("a&&id", "cmdi"),
        ("$(whoami)", "cmdi"),
        ("x | /bin/sleep 30", "cmdi"),
        ("drop table users", "sqli"),
        ("delete from users where 1=1", "sqli"),
        ("update users set admin=1", "sqli"),
        ("1 or id=id", "sqli"),
        ("x' and name='admin", "sqli"),
        ("1) or (1=1", "sqli"),
        ("' or ''='", "sqli"),
        ("1' and sleep(10)#", "sqli"),
        ("1 order by 7--", "sqli"),
        ("1;if(1=1) select 1 else drop function f--", "sqli"),
        ("alert(1)", "xss"),
        ("document.cookie", "xss"),
        ('<a href="x">', "xss"),
        ("0x2e0x2e0x2f0x2e0x2e0x2fetc", "path-traversal"),
        ("c:\\windows\\win.ini", "path-traversal"),
    ],
)
def test_attacks_that_are_short_or_alone(text: str, kind: str) -> None:
    assert payload_rules(text)["KIND"] == kind


@pytest.mark.parametrize("text", [")", "/", "'", "\n", "or' ", "rm -rr", "` ", "case when then ", "<", "$("])
def test_texts_made_to_be_slow_are_not(text: str) -> None:
    start = time.perf_counter()
    payload_rules(text * 20_000)
    payload_rules("1 or " + text * 20_000)
    assert time.perf_counter() - start < 5  # tenths of a second; quadratic ones take minutes


def test_a_megabyte_of_payload_is_quick_enough(tmp_path: Path) -> None:
    values = ask(tmp_path, ("PAYLOAD_THREAT", [["a' or " * 200_000], ["'" * 1_000_000]]))[0].values
    assert values[0]["SCORE"] > 0.5
