"""SQL functions: registry and implementations."""
