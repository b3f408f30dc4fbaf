"""Completion for a search box: the word at the cursor, the existing values, and the items to offer."""
