"""Models by name in `base`; each learns from a panel and gives a fitted one that forecasts from any later history."""
