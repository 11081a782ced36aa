"""Models on disk: versions, checksums, aliases, and the kinds of model we read (never pickle)."""
