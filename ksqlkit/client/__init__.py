"""One client protocol: a ksqlDB over HTTP, or the embedded engine in process."""
