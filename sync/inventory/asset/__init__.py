"""Makes assets from records: identity, matching, merging, duplicates."""
