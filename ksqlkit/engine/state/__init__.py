"""What operators remember: dicts of what is in use, whose changes are written at each commit; the log has all of it."""
