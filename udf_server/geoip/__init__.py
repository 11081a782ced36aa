"""Places of IP addresses, from files in MaxMind's format."""
