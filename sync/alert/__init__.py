"""Alerts: webhooks, what is to be sent to them, and the sender; a run only ever leaves a row behind."""
