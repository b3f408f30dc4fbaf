"""Completion for a search box: the place of the cursor, the values that exist, and the items that fit there."""
