"""What functions with memory remember: a state per key, on disk, bounded, the least recently used forgotten first."""
