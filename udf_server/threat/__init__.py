"""Attacks: rules for requests, and training on connections."""
