"""Limits of a document and of an answer: what each bounds, and how it is measured."""
