"""From records to assets: what identifies a machine, matching, merging, duplicates."""
