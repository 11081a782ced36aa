"""Machines that wear out: features of a run so far, and how long it has to go."""
