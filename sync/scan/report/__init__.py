"""Readers of scan reports, one format a file, and the import of their findings."""
