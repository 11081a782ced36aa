"""Work-conserving batching: pure components, usable and tested without a server."""
