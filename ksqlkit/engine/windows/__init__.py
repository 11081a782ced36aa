"""Windows as pure data: bounds, defaults and expiry, without a clock."""
