"""Where records, state and metadata live."""

from ksqlkit.engine.log.memory import MemoryLog
from ksqlkit.engine.log.partitioner import partition_for
from ksqlkit.engine.log.protocol import Commit, Headers, Log, Output, Record, TopicInfo

__all__ = ["Commit", "Headers", "Log", "MemoryLog", "Output", "Record", "TopicInfo", "partition_for"]
