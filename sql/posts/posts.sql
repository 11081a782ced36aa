-- What people write in public. The record's timestamp is when it was written.
CREATE STREAM POSTS (
    POST_ID BIGINT KEY,
    AUTHOR STRING,
    IP STRING,
    BODY STRING
  ) WITH (KAFKA_TOPIC='posts', VALUE_FORMAT='JSON', PARTITIONS=1);
