"""ksqlDB's HTTP API over the engine. Wire shapes live only here."""
