"""Running queries: generated functions over a log, one commit a poll."""
