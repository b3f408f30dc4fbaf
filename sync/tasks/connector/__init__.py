"""Connector runs: read a directory and write it to the store."""
