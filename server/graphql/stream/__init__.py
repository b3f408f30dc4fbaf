"""Answers that come as a stream: over server-sent events and WebSockets."""
