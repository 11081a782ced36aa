-- Hourly weather at the three airports, keyed by airport and hour as flights are.
CREATE TABLE WEATHER (
    PLACE_HOUR STRING PRIMARY KEY,
    TEMP DOUBLE,
    WIND_SPEED DOUBLE,
    PRECIP DOUBLE,
    VISIB DOUBLE
  ) WITH (KAFKA_TOPIC='weather', VALUE_FORMAT='JSON', PARTITIONS=1);
