"""The embedded ksqlDB. Knows `dialect` and nothing else of ksqlkit."""
