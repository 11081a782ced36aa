"""Differences between a project and a live ksqlDB, as stages (data), and their application.

`diff` compares, `apply` does; `ksqlkit apply --dry-run` prints the same stages that `apply` runs.
"""
