-- Card transactions; the record's timestamp is the time of the purchase.
CREATE STREAM TRANSACTIONS (
    TX_ID STRING KEY,
    CUSTOMER_ID STRING,
    TERMINAL_ID STRING,
    AMOUNT DOUBLE
  ) WITH (KAFKA_TOPIC='transactions', VALUE_FORMAT='JSON', PARTITIONS=1);
