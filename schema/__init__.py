"""The GraphQL surface: types, filters, paging and access; imports neither the web framework nor anything of server/."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import strawberry


@cache
def build_schema() -> strawberry.Schema:
    """Build the schema, with every generated type; the same object each time."""
    from schema.build import build

    return build()
