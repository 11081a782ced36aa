"""Card transactions: simulate, train on the first part, stream all of them, measure on the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ksqlkit.client.protocol import Client
from ksqlkit.loading.load import Encoder, describe_topic, load_rows

TRAIN_SHARE = 0.4
SEED = 7


def simulate(rows: int) -> list[dict[str, Any]]:
    """Transactions in time order, with their labels."""
    from ksqlkit.datagen import transactions

    return list(transactions(rows, seed=SEED))


def train(transactions: list[dict[str, Any]], models: Path) -> None:
    """Fit the fraud model on the first part and make it live."""
    from udf_server.features import windowed_features
    from udf_server.models.store import ModelStore
    from udf_server.training import train_fraud

    part = transactions[: int(len(transactions) * TRAIN_SHARE)]
    labels = [t["IS_FRAUD"] for t in part]
    train_fraud(
        windowed_features(part), labels, ModelStore(models), description="first part of the simulation"
    )


def load(client: Client, transactions: list[dict[str, Any]], on_rows: Any) -> int:
    """Transactions, without their labels, into their topic."""
    shown = ("TX_ID", "TX_TIME", "CUSTOMER_ID", "TERMINAL_ID", "AMOUNT")
    rows = ({name: t[name] for name in shown} for t in transactions)
    encoder = Encoder("transactions", describe_topic(client, "transactions"), None, "TX_TIME")
    return load_rows(client, encoder, rows, on_batch=on_rows)


def read_scores(client: Client, count: int, on_rows: Any) -> dict[int, float | None]:
    """Scores by transaction, through a push query that ends with the last one."""
    sql = f"SELECT TX_ID, SCORE FROM TRANSACTION_SCORES EMIT CHANGES LIMIT {count};"
    scores: dict[int, float | None] = {}
    with client.stream(sql, properties={"auto.offset.reset": "earliest"}) as rows:
        for tx, score in rows:
            scores[tx] = score
            if len(scores) % 5_000 == 0:
                on_rows(len(scores))
    on_rows(len(scores))
    return scores


def measure(transactions: list[dict[str, Any]], scores: dict[int, float | None]) -> dict[str, float]:
    """AUC, average precision and precision@100 on the later part; the model has seen none of it."""
    from udf_server.evaluation import auc, average_precision, precision_at

    later = transactions[int(len(transactions) * TRAIN_SHARE) :]
    found = ((t["IS_FRAUD"], scores.get(t["TX_ID"])) for t in later)
    scored = [(label, score) for label, score in found if score is not None]
    labels, values = [s[0] for s in scored], [s[1] for s in scored]
    return {
        "transactions": float(len(later)),
        "frauds": float(sum(t["IS_FRAUD"] for t in later)),
        "unscored": float(len(later) - len(scored)),
        "auc": float(auc(labels, values)),
        "average_precision": float(average_precision(labels, values)),
        "precision_at_100": float(precision_at(labels, values)),
    }
