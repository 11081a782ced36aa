"""Formats: bytes to column values and back."""
