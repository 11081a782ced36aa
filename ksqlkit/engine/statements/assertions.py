"""ASSERT TOPIC and ASSERT SCHEMA."""

from __future__ import annotations

from ksqlkit.dialect import nodes as N
from ksqlkit.engine import results as R
from ksqlkit.engine.context import Context, Prepared
from ksqlkit.engine.statements.with_clause import literal
from ksqlkit.errors import StatementError


class AssertionRefused(StatementError):
    """What was asserted does not hold (417); it may come true within `wait` milliseconds. Nothing has changed."""

    def __init__(self, message: str, wait: int) -> None:
        super().__init__(message, error_code=41700, status=417)
        self.wait = wait


def assert_topic(ctx: Context, prepared: Prepared) -> R.Result:
    """Check that a topic is there with such settings, or is not. Raises AssertionRefused where it does not hold."""
    node = prepared.node
    assert isinstance(node, N.AssertTopic)
    wait = _timeout(ctx, prepared, node.timeout, "topic")
    found = ctx.topic(node.topic)
    if not node.exists:
        if found is not None:
            raise AssertionRefused(f"Topic {node.topic} exists", wait)
    elif found is None:
        raise AssertionRefused(f"Topic {node.topic} does not exist", wait)
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
            raise AssertionRefused("\n".join(wrong), wait)
    return R.AssertTopic(statement_text=prepared.text, topic_name=node.topic, exists=node.exists)


def assert_schema(ctx: Context, prepared: Prepared) -> R.Result:
    """Check that the registry has such a schema, or has not. Raises AssertionRefused where it does not hold."""
    node = prepared.node
    assert isinstance(node, N.AssertSchema)
    if ctx.schemas is None:
        raise AssertionRefused(
            "Cannot check schema existence: KSQL is not configured to use a schema registry. To enable it, please "
            "set ksql.schema.registry.url",
            0,
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
        raise AssertionRefused(
            f"Schema with{subject}{number} {'exists' if found else 'does not exist'}",
            _timeout(ctx, prepared, node.timeout, "schema"),
        )
    return R.AssertSchema(statement_text=prepared.text, subject=node.subject, id=node.id, exists=node.exists)


def _timeout(ctx: Context, prepared: Prepared, given: N.Duration | None, what: str) -> int:
    """How long the statement may take to come true, in milliseconds."""
    return given.millis if given else int(ctx.settings(prepared)[f"ksql.assert.{what}.default.timeout.ms"])
