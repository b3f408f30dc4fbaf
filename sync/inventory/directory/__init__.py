"""From the pages of a directory to rows: objects, edges, tombstones, and the sweep."""
