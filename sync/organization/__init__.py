"""Organizations and sites, their tokens, the audit log, and idempotent requests."""
