"""Between ksqlkit's tree and sqlglot's. Imports sqlglot; nothing else in the dialect imports this package.

What sqlglot has no node for travels in arguments whose names start with `ksqldb_` (other dialects ignore them), and
statements without structure of interest to sqlglot travel as `exp.Command`.
"""
