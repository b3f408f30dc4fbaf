"""Who is asking, and what this server is."""

from __future__ import annotations

import strawberry

from schema.connection import ORDER_KEYS_MAX, one
from schema.filters import CONDITIONS_MAX, NESTING_MAX, RELATIONS_MAX
from schema.given import TEXT_CHARS_MAX
from schema.operators import LIST_VALUES_MAX
from schema.paging import FIRST_MAX
from schema.search import CHARS_MAX, TERMS_MAX
from schema.search import NESTING_MAX as SEARCH_NESTING_MAX
from schema.types.token import Role


@strawberry.type(description="Who is asking.")
class Viewer:
    """The token behind the request."""

    name: str = strawberry.field(description="The name of the token.")
    role: Role = strawberry.field(description="What it may do.")  # type: ignore[valid-type]
    organization_id: strawberry.Private[int]
    organization = one("Organization", "organization_id", "The organization it reads and writes.", is_required=True)


@strawberry.type(description="A limit that is checked before a request runs.")
class Limit:
    """A limit."""

    name: str = strawberry.field(description="What is limited.")
    value: int = strawberry.field(description="The greatest value that is accepted.")


@strawberry.type(description="This server.")
class Server:
    """This server."""

    version: str = strawberry.field(description="The version of Rollcall.")

    @strawberry.field(description="The limits of a request.")
    def limits(self) -> list[Limit]:
        """List the limits that hold here."""
        return [
            Limit(name="first", value=FIRST_MAX),
            Limit(name="in", value=LIST_VALUES_MAX),
            Limit(name="where", value=CONDITIONS_MAX),
            Limit(name="whereNesting", value=NESTING_MAX),
            Limit(name="whereRelations", value=RELATIONS_MAX),
            Limit(name="search", value=CHARS_MAX),
            Limit(name="searchTerms", value=TERMS_MAX),
            Limit(name="searchNesting", value=SEARCH_NESTING_MAX),
            Limit(name="text", value=TEXT_CHARS_MAX),
            Limit(name="orderBy", value=ORDER_KEYS_MAX),
        ]
