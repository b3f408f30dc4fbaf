"""Organizations and sites, their tokens, what was audited, and requests that are done once."""
