"""The GraphQL surface: types, filters, paging and access; imports neither the web framework nor anything of server/."""

from functools import cache

import strawberry


@cache
def build_schema() -> strawberry.Schema:
    """Build the schema, with every generated type; the same object each time."""
    from schema.build import build

    return build()
