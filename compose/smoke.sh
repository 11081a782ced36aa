#!/usr/bin/env bash
# Brings everything up, then asks a real ksqlDB for AI functions: the jar is whole, and a row gets its answer.
set -euo pipefail
cd "$(dirname "$0")"
docker compose up --build --detach # not --wait, which takes the services that end for failures
for _ in $(seq 90); do
  curl --fail --silent --output /dev/null http://localhost:8088/healthcheck && break
  sleep 2
done
docker compose run --rm --no-deps scoring \
  ksqlkit functions check --scoring http://scoring:8090 --server http://ksqldb-server:8088
ksql() {
  docker compose exec -T ksqldb-cli ksql --execute "$1" http://ksqldb-server:8088
}
ksql "CREATE STREAM IF NOT EXISTS MESSAGES (ID INT KEY, BODY VARCHAR) WITH (KAFKA_TOPIC='messages', PARTITIONS=1, VALUE_FORMAT='JSON');"
ksql "INSERT INTO MESSAGES (ID, BODY) VALUES (1, 'What a wonderful day #sunny');"
answer=$(ksql "SET 'auto.offset.reset'='earliest'; SELECT SENTIMENT(BODY)->LABEL, HASHTAGS(BODY) FROM MESSAGES EMIT CHANGES LIMIT 1;")
echo "$answer"
grep -q POSITIVE <<<"$answer"
grep -q '#sunny' <<<"$answer"
echo "All well."
