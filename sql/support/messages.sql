-- Support messages, split into those that can be read and those that can't.
CREATE STREAM SUPPORT_MESSAGES_RAW (
    MESSAGE_ID STRING KEY,
    CUSTOMER_ID STRING,
    TEXT STRING
  ) WITH (KAFKA_TOPIC='support_messages', VALUE_FORMAT='JSON', PARTITIONS=1);

{{ split_valid('SUPPORT_MESSAGES', 'SUPPORT_MESSAGES_RAW', rules={
    'has a text': "LEN(TRIM(TEXT)) > 0",
    'has a customer': "CUSTOMER_ID IS NOT NULL"}) }}
