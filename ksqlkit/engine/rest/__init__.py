"""ksqlDB's HTTP API over the engine; wire shapes live only here."""
