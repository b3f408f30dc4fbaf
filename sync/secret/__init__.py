"""Secrets: sealed, opened for a sign-in, verified, sealed anew with another key."""
