"""Connections, TLS, origins, identity and rate limits: everything before a request is read."""
