"""Where the result goes: the sink's topic and formats, and whether the result fits it."""

from __future__ import annotations

from dataclasses import replace

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.analysis.text import fail
from ksqlkit.engine.catalog import DataSource, Format
from ksqlkit.engine.plan import formats
from ksqlkit.engine.plan.relation import Relation, Request, SinkRequest
from ksqlkit.engine.plan.steps import Sink, SinkStep
from ksqlkit.engine.plan.timestamp_column import timestamp_column
from ksqlkit.engine.schema import Schema

# Options a sink takes over from a source of the same format.
_INHERITED = frozenset({"DELIMITER", "NULLABLE_REPRESENTATION"})


def sink(request: Request, relation: Relation) -> Relation:
    """Write into the sink; queries for a client have none."""
    wanted = request.sink
    if wanted is None:
        return relation
    schema = relation.step.schema
    target = wanted.insert_into
    made = _new_sink(request, wanted, schema) if target is None else _existing(relation, target, schema)
    relation.key_missing(request)
    if target is None:
        _check_kind(request, wanted, relation)
        formats.check_key(made.key_format, schema.key)
        formats.check_value(made.value_format, schema.value)
    step = SinkStep(wanted.name, schema, relation.step, made)
    return replace(relation, step=step)


def _check_kind(request: Request, wanted: SinkRequest, relation: Relation) -> None:
    if wanted.kind != relation.kind:
        raise fail(
            f"Invalid result type. Your SELECT query produces a {relation.kind}. "
            f"Please use CREATE {relation.kind} AS SELECT statement instead."
            + (f"\nStatement: {request.statement}" if request.statement else ""),
            request.query,
        )


def _new_sink(request: Request, wanted: SinkRequest, schema: Schema) -> Sink:
    props = wanted.properties
    source = request.left.source
    key_format = _key_format(request, wanted, schema)
    value_format = _format(wanted, "VALUE", source.value_format)
    value_format = _wrapped(request, value_format, props.get("WRAP_SINGLE_VALUE"), len(schema.value))
    column, fmt = props.get("TIMESTAMP"), _text(props.get("TIMESTAMP_FORMAT"))
    return Sink(
        name=wanted.name,
        kind=wanted.kind,
        topic=_text(props.get("KAFKA_TOPIC")) or wanted.name,
        key_format=key_format,
        value_format=value_format,
        partitions=_number(props.get("PARTITIONS"), source.partitions),
        replicas=_number(props.get("REPLICAS"), source.replicas),
        timestamp_column=None if column is None else timestamp_column(str(column), fmt, schema),
        timestamp_format=fmt,
    )


def _wrapped(request: Request, fmt: Format, asked: object, values: int) -> Format:
    """A single value column is wrapped as the WITH clause says, else as the session's setting does where it can."""
    if asked is not None:
        return formats.with_wrapping(fmt, bool(asked), values)
    default = request.properties.get("ksql.persistence.wrap.single.values")
    if default is None or values != 1 or default not in formats.WRAPPING[fmt.name]:
        return fmt
    return replace(fmt, wrap=bool(default))


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _number(value: object, default: int) -> int:
    return default if value is None else int(str(value))


def _key_format(request: Request, wanted: SinkRequest, schema: Schema) -> Format:
    named = wanted.properties.get("KEY_FORMAT") or wanted.properties.get("FORMAT")
    if any(isinstance(e, N.NullLiteral) for e in request.query.partition_by):
        if named is not None and str(named).upper() != "NONE":
            raise fail("Key format specified for stream without key columns.")
        return Format("NONE")
    made = _format(wanted, "KEY", request.left.source.key_format)
    if made.name == "NONE" and named is None and schema.key:
        return request.default_key_format
    return made


def _format(wanted: SinkRequest, side: str, source: Format) -> Format:
    """The format the WITH clause names for the side, or the source's; with the options of both."""
    props = wanted.properties
    named = props.get(f"{side}_FORMAT") or props.get("FORMAT")
    name = source.name if named is None else formats.check_format_name(str(named))
    options: dict[str, str] = {}
    if name == source.name:
        options |= {k: v for k, v in source.options if k in _INHERITED}
    for option in ("SCHEMA_FULL_NAME", "DELIMITER", "SCHEMA_ID"):
        if (given := props.get(f"{side}_{option}")) is not None:
            options[option] = str(given)
    if side == "VALUE" and (given := props.get("VALUE_AVRO_SCHEMA_FULL_NAME")) is not None:
        options["SCHEMA_FULL_NAME"] = str(given)
    if (given := props.get(f"{side}_PROTOBUF_NULLABLE_REPRESENTATION")) is not None:
        options["NULLABLE_REPRESENTATION"] = str(given)
    formats.check_options(name, options)
    return Format(name, tuple(sorted(options.items())))


def _existing(relation: Relation, target: DataSource, schema: Schema) -> Sink:
    """INSERT INTO: the target's topic and formats, once the result fits its schema."""
    if target.kind != relation.kind:
        raise fail(
            f"Incompatible data sink and query result. Data sink ({target.name}) type is K{target.kind} "
            f"but select query result is K{relation.kind}."
        )
    if target.window != relation.window:
        raise fail("Into can't change windowing", hint="the sink must be windowed as the query's result is")
    if any(c.header is not None for c in target.schema.value):
        raise fail(f"Cannot insert into {target.name} because it has header columns")
    if not fits(schema, target.schema):
        raise fail(
            "Incompatible schema between results and sink.\n"
            f"Result schema is {schema.describe()}\nSink schema is {target.schema.describe()}"
        )
    return Sink(
        target.name,
        target.kind,
        target.topic,
        target.key_format,
        target.value_format,
        target.partitions,
        target.replicas,
        target.timestamp_column,
        target.timestamp_format,
    )


def fits(result: Schema, target: Schema) -> bool:
    """Whether rows of one schema can be written as the other: same names in order, types equal or widened."""
    pairs = ((result.key, target.key), (result.value, target.value))
    return all(
        len(a) == len(b)
        and all(x.name == y.name and widens(x.type, y.type) for x, y in zip(a, b, strict=True))
        for a, b in pairs
    )


def widens(result: T.SqlType, target: T.SqlType) -> bool:
    """Whether a value of one type can be written into a column of the other: equal, or a DECIMAL with more room."""
    if isinstance(result, T.Decimal) and isinstance(target, T.Decimal):
        whole = target.precision - target.scale >= result.precision - result.scale
        return whole and target.scale >= result.scale
    return result == target
