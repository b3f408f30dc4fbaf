"""The root of all queries: a list and a look-up for every inventory, the search, the caller and the server."""

from __future__ import annotations

from typing import Annotated, Any, Optional

import strawberry
from strawberry import UNSET
from strawberry.types import Info

from schema.context import Context
from schema.duplicates import duplicates
from schema.field.arguments import BY, ID, argument
from schema.field.ids import decode_id
from schema.field.keys import key_of, written
from schema.field.registry import NOUNS
from schema.field.resolution import FORM, Lookup, LookupKey
from schema.field.rows import row_columns, rows_of
from schema.filter.check import check_text
from schema.generated import named, publish
from schema.limit.expected import about
from schema.list.aggregate import aggregate
from schema.list.changes import changes
from schema.list.connection import many
from schema.list.node import node, nodes
from schema.search.api import Inventory, SearchKeyword, SearchParse, parse_search_text, search_keywords
from schema.search.completion.api import FIRST_DEFAULT as COMPLETIONS_DEFAULT
from schema.search.completion.api import FIRST_MAX as COMPLETIONS_MAX
from schema.search.completion.api import SearchCompletion, complete_search
from schema.search.toggle import toggle_term
from schema.types import Server, Viewer, Webhook
from schema.types.retention import RetentionEffect, UpdateRetentionInput, preview
from sync.errors import BadInput
from sync.product import version

INVENTORY = strawberry.argument(description="The inventory of the search.")
SETTINGS = strawberry.argument(description="Settings to try; omitted settings have their stored values.")
TERM_KEYWORD = strawberry.argument(description="The keyword of the term; empty for a word of its own.")
TERM_VALUE = strawberry.argument(
    description="The value to search for, unescaped: the server adds quotes and backslashes, and `%` and `_` are "
    "ordinary characters. Empty for a missing value."
)
TERM_OPERATOR = strawberry.argument(description="`=`, `<`, `<=`, `>`, `>=`, or empty.")
SEARCH_TEXT = strawberry.argument(description="A text in the search language (docs/search.md).")
CURSOR = strawberry.argument(description="UTF-16 units before the cursor; the end of the text by default.")
ITEMS = strawberry.argument(
    description=f"Most items to return, 1 to {COMPLETIONS_MAX}; {COMPLETIONS_DEFAULT} by default."
)
# The key of a look-up, and its value.
Sought = tuple[LookupKey, Any]


def by_id(target: str, description: str) -> Any:
    """Declare a look-up by id."""

    def sought(id: str) -> Sought:
        return key_of(target, "id"), decode_id(id, NOUNS[target].prefix, target)

    async def resolve(root: Any, info: Any, id: Any) -> Any:
        return await info.context.load(target, sought(id)[1])

    resolve.__annotations__ = {
        "info": Info,
        "id": argument(strawberry.ID, ID),
        "return": Optional[NOUNS[target].type],  # noqa: UP045
    }
    return strawberry.field(resolver=resolve, description=description, metadata={FORM: Lookup(target, sought)})


def by_key(target: str, keys: dict[str, str], description: str) -> Any:
    """Declare a look-up by id or another key; `keys` maps names (schema/field/keys.py) to descriptions.

    If several rows have the key, such as a name in two sites, the look-up is refused.
    """
    body: dict[str, Any] = {"__annotations__": {"id": Optional[strawberry.ID]}}  # noqa: UP045
    body["id"] = strawberry.field(default=UNSET, description="The id.")
    for name, text in keys.items():
        body["__annotations__"][name] = Optional[str]  # noqa: UP045
        body[name] = strawberry.field(default=UNSET, description=text)
    input_name = f"{target}By"
    description_ = f"The key of the {target.lower()}; exactly one."
    publish(input_name, strawberry.input(type(input_name, (), body), one_of=True, description=description_))

    def sought(by: Any) -> Sought:
        ((name, value),) = ((name, value) for name, value in vars(by).items() if value is not UNSET)
        key = key_of(target, name)
        if name == "id":
            return key, decode_id(value, NOUNS[target].prefix, target, "by.id")
        return key, written(name, check_text(value, f"by.{key.name}"))

    async def resolve(root: Any, info: Any, by: Any) -> Any:
        return await _find(info.context, target, sought(by))

    resolve.__annotations__ = {
        "info": Info,
        "by": argument(named(input_name), BY),
        "return": Optional[NOUNS[target].type],  # noqa: UP045
    }
    return strawberry.field(resolver=resolve, description=description, metadata={FORM: Lookup(target, sought)})


async def _find(context: Context, target: str, sought: Sought) -> Any:
    noun, (key, value) = NOUNS[target], sought
    if key.name == "id":
        return await context.load(target, value)
    statement = rows_of(noun, context.principal).with_only_columns(*row_columns(noun))
    rows = await context.fetch(statement.where(key.holds).limit(2), {"value": value})
    if len(rows) > 1:
        hint = "List them with a filter, then look up the right one by its id."
        raise BadInput(f"by.{key.name}: several rows have this {key.name}.", hint=hint, path=f"by.{key.name}")
    return noun.type.of(rows[0]) if rows else None


@strawberry.type(description="All queries.")
class Query:
    node = node()
    nodes = nodes()
    assets = many("Asset", "The assets of the organization.")
    assets_aggregate = aggregate("Asset", "Counts of assets.")
    asset = by_key(
        "Asset",
        {
            "name": "The full name of its most recently seen record, in any letter case.",
            "hostname": "One of its full names, in any letter case.",
            "mac": "One of its full MAC addresses, with colons, hyphens, dots or nothing between the digits.",
            "serial": "The full serial number, in any letter case.",
            "external_id": "The object id of one of its directory devices, in any letter case.",
        },
        "One asset by one of its keys; null if no asset has it, refused if several have it.",
    )
    users = many("User", "The directory users of the organization.")
    users_aggregate = aggregate("User", "Counts of users.")
    user = by_key(
        "User",
        {
            "external_id": "The object id in the directory, in any letter case.",
            "user_principal_name": "The sign-in name, in any letter case.",
            "email": "The primary e-mail address, in any letter case.",
        },
        "One directory user by one of its keys; null if no user has it, refused if several have it.",
    )
    groups = many("Group", "The directory groups of the organization.")
    groups_aggregate = aggregate("Group", "Counts of groups.")
    group = by_key(
        "Group",
        {
            "external_id": "The object id in the directory, in any letter case.",
            "email": "The group's e-mail address, in any letter case.",
            "display_name": "The group's full name, in any letter case; refused if several groups have it.",
        },
        "One directory group by one of its keys; null if no group has it, refused if several have it.",
    )
    changes = changes()
    duplicates = duplicates()
    sites = many("Site", "The sites of the organization.")
    site = by_id("Site", "One site by its id; null if there is none.")
    organizations = many("Organization", "The organization of the token; for a superuser, all of them.")
    organization = by_id("Organization", "One organization by its id; null if there is none.")
    credentials = many("Credential", "The credentials the organization may use.")
    credential = by_id("Credential", "One credential by its id; null if there is none.")
    tasks = many("Task", "The tasks of the organization.")
    task = by_id("Task", "One task by its id; null if there is none.")
    task_runs = many("TaskRun", "The runs of all tasks.")
    task_run = by_id("TaskRun", "One run by its id; null if there is none.")

    api_tokens = many("ApiToken", "The API tokens of the organization.")
    api_token = by_id("ApiToken", "One API token by its id; null if there is none.")
    audit_events = many("AuditEvent", "What callers of the organization did and were refused, in order.")
    audit_event = by_id("AuditEvent", "One audit event by its id; null if there is none.")

    webhook = by_id("Webhook", "One webhook by its id; null if there is none.")

    @strawberry.field(description="The webhooks of the organization, by id.", metadata=about(20))
    async def webhooks(self, info: Info[Context, None]) -> list[Webhook]:
        """Return all webhooks, without pages: an organization has few."""
        noun, context = NOUNS["Webhook"], info.context
        statement = rows_of(noun, context.principal).with_only_columns(*row_columns(noun)).order_by(noun.key)
        return [noun.type.of(row) for row in await context.fetch(statement)]

    @strawberry.field(description="The keywords that a search of an inventory knows.", metadata=about(100))
    def search_keywords(self, inventory: Annotated[Inventory, INVENTORY]) -> list[SearchKeyword]:
        """List keywords, for autocompletion and help."""
        return search_keywords(inventory)

    @strawberry.field(description="What a search text means, and what is wrong with it; searches nothing.")
    def parse_search(
        self, inventory: Annotated[Inventory, INVENTORY], query: Annotated[str, SEARCH_TEXT]
    ) -> SearchParse:
        """Parse a text that is being typed."""
        return parse_search_text(inventory, query)

    @strawberry.field(description="A search text with one more term, or without it if it has it; searches nothing.")
    def toggle_term(
        self,
        inventory: Annotated[Inventory, INVENTORY],
        text: Annotated[str, SEARCH_TEXT],
        keyword: Annotated[str, TERM_KEYWORD],
        value: Annotated[str, TERM_VALUE],
        operator: Annotated[str, TERM_OPERATOR] = "",
    ) -> str:
        """Turn a click on a facet into a term."""
        return toggle_term(inventory.value, text, keyword, value, operator)

    @strawberry.field(description="What may stand at the cursor of a search text that is being typed, with values.")
    async def complete_search(
        self,
        info: Info[Context, None],
        inventory: Annotated[Inventory, INVENTORY],
        text: Annotated[str, SEARCH_TEXT],
        cursor: Annotated[int | None, CURSOR] = None,
        first: Annotated[int, ITEMS] = COMPLETIONS_DEFAULT,
    ) -> SearchCompletion:
        """List completions."""
        return await complete_search(info.context, inventory, text, cursor, first)

    @strawberry.field(description="What the nightly retention would remove now; removes nothing.", metadata=about(10))
    async def retention_preview(
        self, info: Info[Context, None], input: Annotated[UpdateRetentionInput | None, SETTINGS] = UNSET
    ) -> list[RetentionEffect]:
        """Count the rows that retention would remove."""
        return await preview(info, input)

    @strawberry.field(description="The token behind this request.")
    def viewer(self, info: Info[Context, None]) -> Viewer:
        """Return the caller."""
        principal = info.context.principal
        return Viewer(name=principal.name, role=principal.role, organization_id=principal.organization_id)

    @strawberry.field(description="This server.")
    def server(self) -> Server:
        """Return the server's version."""
        return Server(version=version())
