-- One row per scheduled departure from New York in 2013; the record's timestamp is the scheduled time.
CREATE STREAM FLIGHTS (
    PLACE_HOUR STRING KEY,
    ORIGIN STRING,
    DEST STRING,
    CARRIER STRING,
    FLIGHT INT,
    DEP_DELAY DOUBLE,
    DISTANCE DOUBLE
  ) WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON', PARTITIONS=1);
