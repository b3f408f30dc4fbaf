"""Alerts: webhooks, the outbox of messages, and the sender; a run only writes a row to the outbox."""
