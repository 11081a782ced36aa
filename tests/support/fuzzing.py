"""Seeded damage: SQL text and record bytes that are nearly right, or not at all."""

# ruff: noqa: E501, SIM905

from __future__ import annotations

import random
import re
import struct
from collections.abc import Iterator

SOURCES = """
CREATE STREAM s (id STRING KEY, a INT, b BIGINT, c DOUBLE, d DECIMAL(8,2), e STRING, f ARRAY<INT>,
  g MAP<STRING, DOUBLE>, h STRUCT<x INT, y ARRAY<STRING>>, t TIMESTAMP, u DATE, w TIME, z BYTES, o BOOLEAN)
  WITH (kafka_topic='s', value_format='JSON', partitions=2);
CREATE STREAM r (id STRING KEY, v INT) WITH (kafka_topic='r', value_format='DELIMITED', partitions=2);
CREATE TABLE q (id STRING PRIMARY KEY, v INT, e STRING) WITH (kafka_topic='q', value_format='JSON', partitions=2);
"""

STATEMENTS = (
    "CREATE STREAM o1 AS SELECT id, a + b * 2 AS x, UCASE(e) AS y FROM s WHERE a > 1 AND e LIKE 'a%' EMIT CHANGES;",
    "CREATE TABLE o2 AS SELECT id, COUNT(*) AS n, SUM(a) AS t, COLLECT_LIST(e) AS l FROM s WINDOW TUMBLING "
    "(SIZE 1 MINUTE, RETENTION 1 DAY, GRACE PERIOD 5 SECONDS) GROUP BY id HAVING COUNT(*) > 1 EMIT CHANGES;",
    "CREATE TABLE o3 WITH (kafka_topic='o3', value_format='DELIMITED', partitions=3) AS SELECT e, MAX(c) AS m FROM s "
    "WINDOW SESSION (30 SECONDS) GROUP BY e EMIT FINAL;",
    "CREATE STREAM o4 AS SELECT s.e AS k, a, v FROM s LEFT JOIN r WITHIN (1 HOUR, 5 MINUTES) GRACE PERIOD 1 MINUTE "
    "ON s.id = r.id PARTITION BY s.e;",
    "CREATE STREAM o5 AS SELECT s.id, h->x, f[1], g['k'], h->y[1] AS first, q.v FROM s INNER JOIN q ON s.id = q.id;",
    "SELECT CASE WHEN a BETWEEN 1 AND 5 THEN 'low' WHEN o THEN NULL ELSE CAST(b AS VARCHAR) END, EXPLODE(f) FROM s "
    "EMIT CHANGES LIMIT 1;",
    "SELECT TRANSFORM(f, x => x * 2), REDUCE(f, 0, (acc, x) => acc + x), FILTER(g, (k, v) => v > 1.5E0) FROM s EMIT CHANGES;",
    "SELECT STRUCT(one := 1, two := ARRAY['x', NULL]), MAP('k' := 12.50), d / 3 - -c % 7 FROM s EMIT CHANGES;",
    "SELECT id, b, f FROM s WHERE id IN ('a', 'b') AND a IS NOT NULL;",
    "INSERT INTO s (id, a, f, g, h) VALUES ('k', 1, ARRAY[1, 2], MAP('x' := 1.5), STRUCT(x := 3));",
    "INSERT INTO r SELECT id, LEN(e) + CAST(EXTRACTJSONFIELD(e, '$.x') AS INT) AS v FROM s;",
    "SELECT TIMESTAMPTOSTRING(ROWTIME, 'yyyy-MM-dd''T''HH:mm:ssX', 'UTC'), PARSE_DATE(e, 'yyyy'), t > '2020-01-01' FROM s "
    "EMIT CHANGES;",
    "CREATE OR REPLACE TABLE o6 AS SELECT q.id, COUNT(*) FROM q GROUP BY q.id;",
    "CREATE TYPE p AS STRUCT<a INT, b ARRAY<MAP<STRING, DECIMAL(4, 2)>>>; SHOW TYPES; DROP TYPE p;",
    "DESCRIBE s EXTENDED; EXPLAIN SELECT * FROM s EMIT CHANGES; SHOW TABLES EXTENDED; DESCRIBE FUNCTION lcase;",
    "ALTER STREAM r ADD COLUMN extra INT; PAUSE ALL; RESUME ALL; LIST QUERIES; ASSERT TOPIC s TIMEOUT 1 SECONDS;",
    "SET 'auto.offset.reset' = 'earliest'; DEFINE x = 'r'; CREATE STREAM o7 AS SELECT * FROM ${x}; UNDEFINE x;",
    "DROP STREAM IF EXISTS o1 DELETE TOPIC; TERMINATE ALL; SHOW PROPERTIES; LIST FUNCTIONS;",
    "PRINT s FROM BEGINNING LIMIT 1;",
)

_TOKEN = re.compile(r"'(?:[^']|'')*'|\w+|\s+|->|=>|:=|[^\w\s]")
_WORDS = (
    *"SELECT FROM WHERE GROUP BY AS NULL NOT ( ) , ; * + - . -> => := [ ] { } < > = ' ` \" -- /* */ ${ } ? @ # :: %".split(),
    *"STRUCT ARRAY MAP CASE END IN BETWEEN LIKE ESCAPE WINDOW WITHIN EMIT CHANGES FINAL LIMIT JOIN LEFT OUTER ON".split(),
    *"0 1 -1 2147483648 9223372036854775808 1e400 1.5E-400 0.000 00012 99999999999999999999999999.9".split(),
    *"'' 'x' ROWTIME ROWKEY WINDOWSTART ROWPARTITION HEADERS KEY PRIMARY s r q id a z nothing".split(),
    *"COUNT(*) SUM(a) LATEST_BY_OFFSET(h) TOPK(a,3) EXPLODE(f) CAST(e AS DATE) MASK(e) CHR(-1) LPAD(e,999,'')".split(),
    "\0", "\ud800", "é", "𝔘", "\u202e", "\n\n", "\ufeff",
)  # fmt: skip


def mutate(chance: random.Random, text: str) -> str:
    """The text with a few tokens gone, doubled, swapped, replaced or cut, or single characters changed."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        tokens = _TOKEN.findall(text) or [""]
        at, other = chance.randrange(len(tokens)), chance.randrange(len(tokens))
        match chance.randrange(8):
            case 0:
                del tokens[at]
            case 1:
                tokens.insert(at, tokens[other])
            case 2:
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case 3:
                tokens[at] = chance.choice(_WORDS)
            case 4:
                tokens.insert(at, f" {chance.choice(_WORDS)} ")
            case 5:
                tokens = tokens[: at + 1]
            case 6:
                tokens[at] = (
                    tokens[at][::-1]
                    if chance.random() < 0.3
                    else tokens[at] + chr(chance.randrange(1, 0x300))
                )
            case 7:
                tokens[at:other] = _TOKEN.findall(chance.choice(STATEMENTS))[at:other]
        text = "".join(tokens)
    return text


DEEP = (
    "SELECT " + "(" * 3_000 + "1" + ")" * 3_000 + " FROM s EMIT CHANGES;",
    "SELECT " + "1+" * 5_000 + "1 FROM s EMIT CHANGES;",
    "SELECT " + "NOT " * 3_000 + "true FROM s EMIT CHANGES;",
    "SELECT " + "-" * 2_000 + " 1 FROM s EMIT CHANGES;",
    "SELECT " + "ARRAY[" * 800 + "1" + "]" * 800 + " FROM s EMIT CHANGES;",
    "SELECT " + "UCASE(" * 800 + "e" + ")" * 800 + " FROM s EMIT CHANGES;",
    "SELECT " + "CASE WHEN o THEN " * 500 + "1" + " END" * 500 + " FROM s EMIT CHANGES;",
    "SELECT * FROM s WHERE " + "o AND " * 5_000 + "o EMIT CHANGES;",
    "CREATE STREAM deep (x " + "ARRAY<" * 2_000 + "INT" + ">" * 2_000 + ") WITH (kafka_topic='d', value_format='JSON');",
    "SELECT " + "9" * 20_000 + " FROM s EMIT CHANGES;",
    "SELECT " + "0." + "9" * 20_000 + " FROM s EMIT CHANGES;",
    "SELECT * FROM " + "n" * 100_000 + " EMIT CHANGES;",
    "SELECT 'open",
    "SELECT `open",
    "/* open",
    "SELECT \ud800 FROM s EMIT CHANGES;",
    "\0",
    "CREATE STREAM x" + ", a INT" * 3_000 + ";",
    "SHOW STREAMS;" * 500,
)  # fmt: skip


def documents(chance: random.Random, count: int) -> Iterator[bytes | None]:
    """Values of records: JSON that nearly fits the columns of `s`, damaged JSON, and bytes of any kind."""
    scalars = ("1", "-1", "1.5", "1e400", "99999999999999999999", '"x"', '"1"', "null", "true", "NaN", "-0.0", "[]", "{}",
               '"2020-01-01"', '[1, null, "x"]', '{"x": 1, "y": ["a"]}', '{"X": "q"}', '"\\ud800"', '"\\u0000"', "1E-400")  # fmt: skip
    for _ in range(count):
        kind = chance.random()
        if kind < 0.03:
            yield None
        elif kind < 0.75:
            fields = [
                f'"{name}": {chance.choice(scalars)}' for name in "abcdefghtuwzo" if chance.random() < 0.6
            ]
            text = ("{" + ", ".join(fields) + "}").encode()
            if chance.random() < 0.3 and text:
                at = chance.randrange(len(text))
                text = text[:at] + chance.randbytes(chance.randrange(3)) + text[at + chance.randrange(3) :]
            yield text
        elif kind < 0.8:
            yield b"[" * chance.choice((10, 5_000)) + b"1"
        elif kind < 0.85:
            yield b'{"a":' * 2_000 + b"1" + b"}" * 2_000
        elif kind < 0.9:
            yield struct.pack(">bI", 0, chance.randrange(5)) + chance.randbytes(chance.randrange(20))
        else:
            yield chance.randbytes(chance.randrange(40))
