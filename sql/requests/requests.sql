-- Requests to a web shop, as its access log has them.
CREATE STREAM REQUESTS (
    REQUEST_ID BIGINT KEY,
    IP STRING,
    PATH STRING,
    PARAMS STRING
  ) WITH (KAFKA_TOPIC='requests', VALUE_FORMAT='JSON', PARTITIONS=1);
