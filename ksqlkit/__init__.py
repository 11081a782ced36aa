"""ksqlkit: ksqlDB in Python, with AI functions and forecasts as SQL."""

__version__ = "0.1.0"
