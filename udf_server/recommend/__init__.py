"""Recommendation by implicit factorization."""
