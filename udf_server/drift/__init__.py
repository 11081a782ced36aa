"""Whether what a model sees and says is still what it was trained on, and whether it is still right."""
