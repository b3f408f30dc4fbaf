"""Lists: connections, pages, cursors, counts by group, and what has changed."""
