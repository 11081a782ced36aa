"""Models in a form that others can walk: the bridge's Java inside ksqlDB, or anything that reads JSON."""
