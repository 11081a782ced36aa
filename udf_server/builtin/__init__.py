"""The functions that come with the server, one file a model. Importing them loads nothing heavy."""
