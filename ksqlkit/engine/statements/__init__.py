"""Statements other than queries."""
