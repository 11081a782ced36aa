"""Choosing among routes and learning from what came of it."""
