"""Runs operations by graphql-core's executor, in time slices, and counts an answer's size while it is built."""
