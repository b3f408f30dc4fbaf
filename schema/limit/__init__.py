"""Limits of documents and answers, and their measurement."""
