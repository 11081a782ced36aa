-- Card transactions; the record's timestamp is the time of the purchase.
CREATE STREAM TRANSACTIONS (
    TX_ID BIGINT KEY,
    CUSTOMER_ID BIGINT,
    TERMINAL_ID BIGINT,
    AMOUNT DOUBLE
  ) WITH (KAFKA_TOPIC='transactions', VALUE_FORMAT='JSON', PARTITIONS=1);
