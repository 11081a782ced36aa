"""Training from a query: rows out of a live ksqlDB, a model in the registry, its answers back in SQL."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

from ksqlkit.client.http import HttpClient
from ksqlkit.process import ServerProcess
from tests.support.command import run
from tests.support.scoring_server import scoring_server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STATEMENTS = """
CREATE STREAM VISITORS (ID BIGINT KEY, VISITS INT, SPENT DOUBLE, PLAN STRING, GONE BOOLEAN)
  WITH (KAFKA_TOPIC='visitors', PARTITIONS=1, VALUE_FORMAT='JSON');
CREATE STREAM TICKETS (ID BIGINT KEY, BODY STRING, SUBJECT STRING)
  WITH (KAFKA_TOPIC='tickets', PARTITIONS=1, VALUE_FORMAT='JSON');
"""
ASKED = """SELECT ID, PREDICT('churn', STRUCT(VISITS := VISITS, SPENT := SPENT, PLAN := PLAN)) AS CHURN,
  GONE FROM VISITORS EMIT CHANGES LIMIT 400;"""


def visitors() -> list[dict[str, object]]:
    chance = random.Random(2)
    rows = []
    for at in range(400):
        visits, plan = chance.randrange(30), chance.choice(["free", "paid"])
        gone = visits < (20 if plan == "free" else 5)
        spent = None if at % 9 == 0 else chance.random() * 100
        rows.append({"ID": at, "VISITS": visits, "SPENT": spent, "PLAN": plan, "GONE": gone})
    return rows


def test_a_model_from_a_query_answers_in_sql(tmp_path: Path) -> None:
    (tmp_path / "ksqlkit.toml").write_text("[project]\nname = 'p'\n")
    chance = random.Random(3)
    words = {"card": ["card", "pin", "lost"], "login": ["password", "account", "reset"]}
    tickets = [
        {"ID": i, "BODY": " ".join(chance.sample(words[s], 2)) + " help", "SUBJECT": s}
        for i in range(80)
        for s in [chance.choice(sorted(words))]
    ]
    with scoring_server(tmp_path / "models") as scoring:
        command = [sys.executable, "-m", "ksqlkit.engine.rest", "--port", "0", "--log", ":memory:"]
        command += ["--scoring", scoring.url]
        with ServerProcess("embedded ksqlDB", command, health="/info") as ksql:
            client = HttpClient(ksql.url)
            client.execute(STATEMENTS)
            client.insert("VISITORS", visitors())
            client.insert("TICKETS", tickets)
            asked = ["--server", ksql.url, "--json"]
            query = "SELECT VISITS, SPENT, PLAN, GONE FROM VISITORS"
            done = run("train", "churn", "--from", query, "--label", "GONE", *asked, folder=tmp_path)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["metrics"]["auc"] > 0.95
            found = client.query(ASKED, properties={"auto.offset.reset": "earliest"}).rows
            right = sum((churn > 0.5) == gone for _, churn, gone in found)
            assert (len(found), right >= 360) == (400, True)
            texts = ["--text", "BODY", "--label", "SUBJECT"]
            done = run(
                "train", "subject", "--from", "SELECT * FROM TICKETS;", *texts, *asked, folder=tmp_path
            )
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["metrics"]["accuracy"] > 0.9
            for query, said in (
                ("SELECT NOPE FROM VISITORS;", "NOPE"),
                ("SELECT * FROM NOBODY;", "NOBODY"),
                ("SELECT * FROM VISITORS WHERE ID < 0;", "no rows"),
                ("SELECT FROM;", "Syntax Error"),
            ):
                done = run("train", "x", "--from", query, "--label", "GONE", *asked, folder=tmp_path)
                assert (done.returncode, done.stdout) == (1, "")
                assert said in done.stderr
                assert "Traceback" not in done.stderr
            client.close()
