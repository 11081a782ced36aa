-- A row per machine and cycle; the record's timestamp is when it was measured.
CREATE STREAM READINGS (
    MACHINE STRING KEY,
    TEMPERATURE DOUBLE,
    SPEED DOUBLE,
    TORQUE DOUBLE,
    WEAR DOUBLE
  ) WITH (KAFKA_TOPIC='readings', VALUE_FORMAT='JSON', PARTITIONS=1);
