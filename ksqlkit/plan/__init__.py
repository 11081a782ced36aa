"""Differences against a live server as stages, and their application."""
