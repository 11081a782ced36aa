"""Named workloads, each against a peer where there is one. `python -m benchmarks [part of a name ...]` runs them."""
