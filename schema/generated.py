"""The types generated from the registry, by name, for lazy annotations."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry


def publish(name: str, made: Any) -> Any:
    """Store a generated type under its name, and return it."""
    globals()[name] = made
    return made


def named(name: str, module: str = __name__) -> Any:
    """Return the lazy annotation of a type that may not exist yet; by default a generated type."""
    return Annotated[name, strawberry.lazy(module)]


def get(name: str) -> Any:
    """Return a generated type."""
    return globals()[name]
