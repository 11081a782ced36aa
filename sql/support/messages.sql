-- Support messages, split into those that can be read and those that can't.
CREATE STREAM SUPPORT_MESSAGES_RAW (
    MESSAGE_ID BIGINT KEY,
    CUSTOMER_ID BIGINT,
    BODY STRING
  ) WITH (KAFKA_TOPIC='support_messages', VALUE_FORMAT='JSON', PARTITIONS=1);

{{ split_valid('SUPPORT_MESSAGES', 'SUPPORT_MESSAGES_RAW', rules={
    'has a text': "LEN(TRIM(BODY)) > 0",
    'has a customer': "CUSTOMER_ID IS NOT NULL"}) }}
