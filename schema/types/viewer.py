"""The caller and this server."""

from __future__ import annotations

import strawberry
from strawberry.types import Info

from schema.access import TABLE
from schema.context import Context
from schema.filter.check import TEXT_CHARS_MAX
from schema.filter.inputs import CONDITIONS_MAX, NESTING_MAX
from schema.filter.operators import LIST_VALUES_MAX
from schema.limit.expected import about
from schema.list.connection import ORDER_KEYS_MAX, one
from schema.list.node import IDS_MAX
from schema.list.paging import FIRST_MAX
from schema.search import CHARS_MAX, TERMS_MAX
from schema.search import NESTING_MAX as SEARCH_NESTING_MAX
from schema.types.token import Role

# Limits on arguments, checked while the operation runs.
ARGUMENT_LIMITS = {
    "first": FIRST_MAX,
    "ids": IDS_MAX,
    "in": LIST_VALUES_MAX,
    "where": CONDITIONS_MAX,
    "whereNesting": NESTING_MAX,
    "search": CHARS_MAX,
    "searchTerms": TERMS_MAX,
    "searchNesting": SEARCH_NESTING_MAX,
    "text": TEXT_CHARS_MAX,
    "orderBy": ORDER_KEYS_MAX,
}


@strawberry.type(description="Who is asking.")
class Viewer:
    name: str = strawberry.field(description="The name of the token.")
    role: Role = strawberry.field(description="What it may do.")  # type: ignore[valid-type]
    organization_id: strawberry.Private[int]
    organization = one("Organization", "organization_id", "The organization it reads and writes.", is_required=True)

    @strawberry.field(
        description="Its operations, such as `Mutation.createTask`, and the fields that some roles may not read, such "
        "as `Task.credential`.",
        metadata=about(len(TABLE)),
    )
    def permissions(self, info: Info[Context, None]) -> list[str]:
        """List the fields that the role reaches in the table of access, sorted; rows of whole types are left out."""
        role = info.context.principal.role
        return sorted(name for name, least in TABLE.items() if "." in name and role.reaches(least))


@strawberry.type(description="A limit that is checked before a request runs.")
class Limit:
    name: str = strawberry.field(description="What is limited.")
    value: int = strawberry.field(description="The greatest value that is accepted.")


@strawberry.type(description="This server.")
class Server:
    version: str = strawberry.field(description="The version of Rollcall.")

    @strawberry.field(
        description="The limits of a request; beyond one it is refused with LIMIT_EXCEEDED or as bad input.",
        metadata=about(30),
    )
    def limits(self, info: Info[Context, None]) -> list[Limit]:
        """List the limits that hold here: those of the document first, then those of arguments."""
        return [Limit(name=name, value=value) for name, value in {**info.context.limits, **ARGUMENT_LIMITS}.items()]
