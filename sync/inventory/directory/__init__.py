"""Writes the pages of a directory as rows: objects, edges, tombstones, and the sweep."""
