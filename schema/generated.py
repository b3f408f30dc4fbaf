"""The types that are generated from the registry, by name: where lazy annotations find them."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry


def publish(name: str, made: Any) -> Any:
    """Make a generated type reachable under its name."""
    globals()[name] = made
    return made


def named(name: str, module: str = __name__) -> Any:
    """Return the annotation of a type that may not exist yet; by default a generated one."""
    return Annotated[name, strawberry.lazy(module)]


def get(name: str) -> Any:
    """Return a generated type."""
    return globals()[name]
