"""ASSERT TOPIC and ASSERT SCHEMA."""

from __future__ import annotations

from ksqlkit.dialect import nodes as N
from ksqlkit.engine import results as R
from ksqlkit.engine.context import Context, Prepared
from ksqlkit.engine.statements.with_clause import literal
from ksqlkit.errors import StatementError

_FAILED = 41700


def assert_topic(ctx: Context, prepared: Prepared) -> R.Result:
    """Check that a topic is there with such settings, or is not. Raises StatementError (417) where it does not hold.

    A TIMEOUT is not waited for: within one engine nothing else can create the topic while the statement runs.
    """
    node = prepared.node
    assert isinstance(node, N.AssertTopic)
    found = ctx.topic(node.topic)
    if not node.exists:
        if found is not None:
            raise _failed(f"Topic {node.topic} exists")
    elif found is None:
        raise _failed(f"Topic {node.topic} does not exist")
    else:
        actual = {"PARTITIONS": found.partitions, "REPLICAS": found.replicas}
        actual |= {name.upper(): value for name, value in found.config}  # type: ignore[misc]
        wrong = []
        for name, value in node.properties:
            if name.upper() not in actual:
                wrong.append(f"Cannot assert unknown topic property: {name}")
            elif str(actual[name.upper()]) != str(literal(value)):
                wrong.append(
                    f"Mismatched configuration for topic {node.topic}: For config {name.lower()}, expected "
                    f"{literal(value)} got {actual[name.upper()]}"
                )
        if wrong:
            raise _failed("\n".join(wrong))
    return R.AssertTopic(statement_text=prepared.text, topic_name=node.topic, exists=node.exists)


def assert_schema(ctx: Context, prepared: Prepared) -> R.Result:
    """Check a schema in Schema Registry. Raises StatementError (417): no registry is configured here."""
    node = prepared.node
    assert isinstance(node, N.AssertSchema)
    del ctx
    raise _failed(
        "Cannot check schema existence: KSQL is not configured to use a schema registry. To enable it, please set "
        "ksql.schema.registry.url"
    )


def _failed(message: str) -> StatementError:
    return StatementError(message, error_code=_FAILED, status=417)
