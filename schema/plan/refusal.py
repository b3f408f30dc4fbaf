"""The two ways in which a plan leaves an operation to the executor."""

from __future__ import annotations


class NotPlanned(Exception):
    """The compiler has no form for something that the document selects."""


class Gave(Exception):
    """While running, a plan met what it cannot say in the executor's words: an error, or null where none may be."""
