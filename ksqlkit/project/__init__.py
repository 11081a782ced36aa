"""The project: file, loader, rendering, refs, graph, lint, manifest."""
