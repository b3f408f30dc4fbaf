"""Scans of networks: allowed targets, the scanners, and readers of scan reports; only ingest.py writes rows."""
