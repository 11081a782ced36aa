"""What a query means: names, types and rules checked."""
