"""What operators remember: plain dicts in memory, of which only the changed entries are written at each commit."""
