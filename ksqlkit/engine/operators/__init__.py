"""Steps as generated Python."""
