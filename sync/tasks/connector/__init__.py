"""A connector run: reads a directory and writes it."""
