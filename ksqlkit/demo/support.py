"""Support messages: what they are about and how their writers feel, beside what they were written as."""

from __future__ import annotations

from typing import Any

from ksqlkit.client.protocol import Client
from ksqlkit.loading.load import Encoder, describe_topic, load_rows

TOPIC = "support_messages"


def simulate(rows: int, subjects: list[str]) -> list[dict[str, Any]]:
    """Messages about the given subjects, with intent and sentiment."""
    from ksqlkit.datagen import messages

    return [m for m in messages(rows * 2, seed=7) if m["INTENT"] in subjects][:rows]


def load(client: Client, messages: list[dict[str, Any]], on_rows: Any) -> int:
    """Messages, without what they were written as, into their topic."""
    shown = ("MESSAGE_ID", "SENT_AT", "CUSTOMER_ID", "BODY")
    rows = ({name: m[name] for name in shown} for m in messages)
    encoder = Encoder(TOPIC, describe_topic(client, TOPIC), None, "SENT_AT")
    return load_rows(client, encoder, rows, on_batch=on_rows)


def read_tags(client: Client, count: int) -> dict[int, tuple[str, str]]:
    """Subject and mood by message."""
    sql = f"SELECT MESSAGE_ID, SUBJECT, MOOD FROM SUPPORT_TAGGED EMIT CHANGES LIMIT {count};"
    rows = client.query(sql, properties={"auto.offset.reset": "earliest"}).rows
    return {row[0]: (row[1], row[2]) for row in rows}


def measure(messages: list[dict[str, Any]], tags: dict[int, tuple[str, str]]) -> dict[str, float]:
    """Share of messages whose subject and whose mood are as written."""
    n = len(messages)
    subject = sum(tags[m["MESSAGE_ID"]][0] == m["INTENT"] for m in messages)
    mood = sum(tags[m["MESSAGE_ID"]][1] == m["SENTIMENT"] for m in messages)
    return {"messages": float(n), "subject": subject / n, "mood": mood / n}


def mood_by_subject(client: Client) -> list[dict[str, Any]]:
    """The table SUPPORT_MOOD."""
    rows = client.query("SELECT SUBJECT, MESSAGES, NEGATIVE FROM SUPPORT_MOOD;").dicts()
    return sorted(rows, key=lambda r: -r["MESSAGES"])
