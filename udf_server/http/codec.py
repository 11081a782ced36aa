"""Decode calls and encode answers: JSON rows, or Arrow record batches when pyarrow is installed."""

from __future__ import annotations

from typing import Any

import orjson

from udf_server.batch import Batch
from udf_server.errors import ServiceError
from udf_server.http.arrow import arrow_type, columns_of, open_table
from udf_server.http.message import ARROW, MAX_ROWS, Response, json_response
from udf_server.service import Answer, Target


def decode_call(body: bytes, media: str, *, words: int | None = None) -> Batch:
    """The rows of a call; as a matrix where they are that many texts and then nothing but numbers. JSON rows start with
    their number, counting up from 0."""
    if media == ARROW:
        return _decode_arrow(body, words)
    try:
        document = orjson.loads(body)
    except ValueError as error:
        raise ServiceError(400, "MALFORMED", f"the body is not JSON: {error}") from error
    # `true`, `false` and `null` need one of these letters; a long body is searched in microseconds.
    return batch_of(document, words=words, plain=words == 0 and b"u" not in body and b"s" not in body)


def batch_of(document: Any, *, words: int | None = None, plain: bool = False) -> Batch:
    """The rows of a decoded `{"data": [[0, arg1, ...], ...]}`."""
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, list) or not set(map(type, data)) <= {list}:
        raise ServiceError(400, "MALFORMED", 'the body must be {"data": [[row, argument, ...], ...]}')
    if len(data) > MAX_ROWS:
        raise too_many_rows(len(data))
    if words is not None and (batch := Batch.of_numbers(data, words, plain=plain)) is not None:
        return batch
    try:
        return Batch.numbered(data)
    except ValueError as error:
        raise ServiceError(400, "MALFORMED", str(error)) from error


def answer_document(answer: Answer) -> dict[str, Any]:
    """The JSON shape of an answer."""
    return {
        "data": list(enumerate(answer.values)),
        "errors": answer.errors,
        "model": answer.model,
        "version": answer.version,
    }


def encode_answer(answer: Answer, media: str, target: Target) -> Response:
    """The answer in the form it was asked for."""
    if media != ARROW:
        return json_response(answer_document(answer))
    import pyarrow as pa

    try:
        values = pa.array(answer.values, arrow_type(target.returns))
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise ServiceError(406, "NOT_ARROW", f"these values have no Arrow form: {error}") from error
    codes = messages = pa.nulls(len(values), pa.string())
    if answer.errors:
        errors = {row: (code, message) for row, code, message in answer.errors}
        given = [errors.get(row, (None, None)) for row in range(len(values))]
        codes, messages = (pa.array(column, pa.string()) for column in zip(*given, strict=True))
    batch = pa.record_batch({"value": values, "error_code": codes, "error": messages})
    batch = batch.replace_schema_metadata({"model": answer.model or "", "version": str(answer.version)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return Response(200, sink.getvalue().to_pybytes(), ARROW)


def too_many_rows(rows: int) -> ServiceError:
    """What a call of more than MAX_ROWS rows is answered."""
    message = f"{rows} rows; the limit is {MAX_ROWS} a call: send them in several calls"
    return ServiceError(413, "TOO_MANY_ROWS", message)


def _decode_arrow(body: bytes, words: int | None) -> Batch:
    table = open_table(body)
    if table.num_rows > MAX_ROWS:
        raise too_many_rows(table.num_rows)
    if words is not None and table.num_rows and _numbers_after(words, table.schema):
        batch = table.combine_chunks().to_batches()[0]
        texts = [batch.column(at).to_pylist() for at in range(words)]
        if not any(None in column for column in texts):
            # In one go, and row by row as the model reads it.
            numbers = batch.select(range(words, batch.num_columns))
            matrix = numbers.to_tensor(null_to_nan=True, row_major=True).to_numpy()
            return Batch(table.num_rows, [], matrix, texts)
    columns = columns_of(table)
    return Batch(table.num_rows, [(range(table.num_rows), columns)] if table.num_rows else [])


def _numbers_after(words: int, schema: Any) -> bool:
    import pyarrow as pa

    # By number: types are slow to compare.
    types = [kind.id for kind in schema.types]
    return set(types[:words]) <= {pa.string().id} and set(types[words:]) == {pa.float64().id}
