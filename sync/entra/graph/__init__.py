"""Reads Microsoft Graph: requests, retries, limits, pages."""
