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
    """Check that the registry has such a schema, or has not. Raises StatementError (417) where it does not hold.

    A TIMEOUT is not waited for, as in `assert_topic`.
    """
    node = prepared.node
    assert isinstance(node, N.AssertSchema)
    if ctx.schemas is None:
        raise _failed(
            "Cannot check schema existence: KSQL is not configured to use a schema registry. To enable it, please "
            "set ksql.schema.registry.url"
        )
    if node.subject is None:
        found = node.id is not None and ctx.schemas.by_id(node.id) is not None
    elif node.id is None:
        found = ctx.schemas.latest(node.subject) is not None
    else:
        found = any((e.id, e.subject) == (node.id, node.subject) for e in ctx.schemas.entries())
    if found != node.exists:
        subject = f" subject name {node.subject}" if node.subject is not None else ""
        number = f" id {node.id}" if node.id is not None else ""
        raise _failed(f"Schema with{subject}{number} {'exists' if found else 'does not exist'}")
    return R.AssertSchema(statement_text=prepared.text, subject=node.subject, id=node.id, exists=node.exists)


def _failed(message: str) -> StatementError:
    return StatementError(message, error_code=_FAILED, status=417)
