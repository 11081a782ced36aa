"""python -m ksqlkit: the `ksqlkit` command."""

from __future__ import annotations

from ksqlkit.cli.main import main

if __name__ == "__main__":
    main()
