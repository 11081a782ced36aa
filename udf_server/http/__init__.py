"""The wire: HTTP over the service, independent of the server that carries it."""
