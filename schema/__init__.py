"""The GraphQL surface: types, filters, paging and access; imports neither the web framework nor server/."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import strawberry


@cache
def build_schema() -> strawberry.Schema:
    """Return the schema with every generated type; built once."""
    from schema.build import build

    return build()
