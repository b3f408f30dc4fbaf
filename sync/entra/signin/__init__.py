"""Signing in to Entra ID through MSAL, and checking the tokens of callers."""
