"""Alerts: what is written, sent, signed and given up."""
