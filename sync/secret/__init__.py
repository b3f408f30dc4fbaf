"""Secrets: seals them, opens them for a sign-in, verifies credentials, and rotates the sealing key."""
