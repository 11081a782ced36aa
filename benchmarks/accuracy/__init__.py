"""Accuracy on public data sets, beside published figures."""
