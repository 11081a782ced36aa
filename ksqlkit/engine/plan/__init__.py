"""A query as steps."""
