"""Lists: connections, pages, cursors, counts by group, and changes."""
