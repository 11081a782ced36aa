"""The scoring processor: a stateless query of SQL run beside ksqlDB, topic to topic, exactly once.

It reads a topic in a consumer group, answers AI functions by the batch, and writes results, dead letters, series'
states and offsets in one Kafka transaction. The query is compiled by the embedded engine, so that values are
those of SQL.
"""
