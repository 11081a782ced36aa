"""Online anomaly detection: how surprising a value is, given all that its series showed before."""
