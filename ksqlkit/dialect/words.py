"""The words of ksqlDB 7.9's grammar: which are keywords, and which of those may still name things."""

from __future__ import annotations

from typing import Final

_NON_RESERVED_WORDS: Final = """
    SHOW TABLES COLUMNS COLUMN PARTITIONS FUNCTIONS FUNCTION SESSION STRUCT MAP ARRAY PARTITION INTEGER
    DATE TIME TIMESTAMP INTERVAL ZONE STRING YEAR MONTH DAY HOUR MINUTE SECOND EXPLAIN ANALYZE TYPE
    TYPES SET RESET IF SOURCE SINK PRIMARY KEY EMIT CHANGES FINAL ESCAPE REPLACE ASSERT ALTER ADD HEADER
    HEADERS GRACE PERIOD DEFINE UNDEFINE VARIABLES PLUGINS SYSTEM TIMEOUT SCHEMA SUBJECT ID
"""
NON_RESERVED: Final = frozenset(_NON_RESERVED_WORDS.split())
"""Keywords that are also accepted as names without quotes."""

_RESERVED_WORDS: Final = """
    SELECT FROM AS ALL DISTINCT WHERE WITHIN WINDOW GROUP BY HAVING LIMIT AT OR AND IN NOT EXISTS BETWEEN
    LIKE IS NULL TRUE FALSE MILLISECOND YEARS MONTHS DAYS HOURS MINUTES SECONDS MILLISECONDS TUMBLING
    HOPPING SIZE ADVANCE RETENTION CASE WHEN THEN ELSE END JOIN FULL OUTER INNER LEFT RIGHT ON WITH VALUES
    CREATE TABLE TOPIC STREAM STREAMS INSERT DELETE INTO DESCRIBE EXTENDED PRINT CAST LIST TOPICS QUERY
    QUERIES TERMINATE PAUSE RESUME LOAD DROP TO RENAME SAMPLE EXPORT CATALOG PROPERTIES BEGINNING UNSET
    RUN SCRIPT DECIMAL CONNECTOR CONNECTORS NAMESPACE MATERIALIZED VIEW
"""
RESERVED: Final = frozenset(_RESERVED_WORDS.split())
"""Keywords that need quotes to be a name."""

KEYWORDS: Final = RESERVED | NON_RESERVED

UNITS: Final[dict[str, str]] = {
    spelling: plural
    for plural in ("DAYS", "HOURS", "MINUTES", "SECONDS", "MILLISECONDS")
    for spelling in (plural, plural[:-1])
}
"""Every spelling of a time unit to the plural that the tree stores."""

COMMANDS: Final = (
    "SELECT",
    "CREATE",
    "INSERT",
    "DESCRIBE",
    "PRINT",
    "EXPLAIN",
    "SHOW",
    "LIST",
    "TERMINATE",
    "PAUSE",
    "RESUME",
    "DROP",
    "SET",
    "DEFINE",
    "UNDEFINE",
    "UNSET",
    "ASSERT",
    "ALTER",
)
"""Words that start a statement, in the order in which ksqlDB looks for the nearest one."""


def is_reserved(word: str) -> bool:
    """Whether the word, in any case, needs quotes to be a name."""
    return word.upper() in RESERVED
