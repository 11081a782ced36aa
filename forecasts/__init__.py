"""Batch forecasts that land in materialized tables."""
