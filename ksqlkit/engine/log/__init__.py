"""Where records, state and metadata live."""
