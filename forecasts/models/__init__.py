"""Models: each is `fit_predict(values, horizon, season(s)) -> [series, horizon]`, finite for any finite input."""
