"""What rows of a kind look like, learned or told, and what is wrong with one."""
