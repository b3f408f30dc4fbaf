"""Scans of networks: what may be scanned, the engines that look, the reports they write; only ingest.py writes rows."""
