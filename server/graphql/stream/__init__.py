"""Streamed answers: server-sent events and WebSockets."""
