"""The Entra sign-in service: apps, accounts, grants and tokens."""
