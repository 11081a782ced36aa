"""Where records, state and metadata live."""

from ksqlkit.engine.log.memory import MemoryLog
from ksqlkit.engine.log.partitioner import partition_for
from ksqlkit.engine.log.protocol import Commit, Headers, Log, Output, Record, TopicInfo
from ksqlkit.engine.log.sqlite import SqliteLog

__all__ = [
    "Commit",
    "Headers",
    "Log",
    "MemoryLog",
    "Output",
    "Record",
    "SqliteLog",
    "TopicInfo",
    "partition_for",
]
