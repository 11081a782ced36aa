"""Operators as code generators: each module writes the lines of its step and hands its rows to the next step's."""
