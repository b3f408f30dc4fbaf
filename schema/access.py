"""ONE table says who may do what: coordinate of the schema → the least role; what has no row is denied to everyone.

A document is checked as a whole before anything runs, so both ways of executing a query are behind the same check.
Which rows a caller sees is another matter: `Noun.scope` keeps every read inside the caller's organization.
"""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass
from datetime import datetime

from graphql import (
    SKIP,
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    VisitorAction,
    get_named_type,
    visit,
)

from sync.errors import Forbidden


class Role(enum.StrEnum):
    """What a token may do; each role may do all that the ones before it may."""

    VIEWER = "VIEWER"
    ANNOTATOR = "ANNOTATOR"
    USER = "USER"
    ADMINISTRATOR = "ADMINISTRATOR"
    SUPERUSER = "SUPERUSER"

    def reaches(self, least: Role) -> bool:
        """Tell whether this role may do what `least` may."""
        return _RANK[self] >= _RANK[least]


_RANK = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True)
class Principal:
    """Who is asking: the number of an API token, or who it is in the directory; its organization and its role there."""

    token_id: int | str
    organization_id: int
    role: Role
    name: str
    # When a token of the directory ends; one of ours is looked up. Whoever renews it is the same caller.
    expires_at: datetime | None = dataclasses.field(default=None, compare=False)

    @property
    def actor(self) -> str:
        """How audit events name it."""
        return f"{'token' if isinstance(self.token_id, int) else 'entra'}:{self.token_id} {self.name}"


# A type alone stands for all its fields that have no row of their own.
TABLE: dict[str, Role] = {
    "Query.__schema": Role.VIEWER,
    "Query.__type": Role.VIEWER,
    "Query.viewer": Role.VIEWER,
    "Query.server": Role.VIEWER,
    "Query.node": Role.VIEWER,
    "Query.nodes": Role.VIEWER,
    "Query.assets": Role.VIEWER,
    "Query.asset": Role.VIEWER,
    "Query.assetsAggregate": Role.VIEWER,
    "Query.usersAggregate": Role.VIEWER,
    "Query.groupsAggregate": Role.VIEWER,
    "Query.users": Role.VIEWER,
    "Query.user": Role.VIEWER,
    "Query.groups": Role.VIEWER,
    "Query.group": Role.VIEWER,
    "Query.changes": Role.VIEWER,
    "Query.duplicates": Role.VIEWER,
    "Query.sites": Role.VIEWER,
    "Query.site": Role.VIEWER,
    "Query.organizations": Role.VIEWER,
    "Query.organization": Role.VIEWER,
    "Query.tasks": Role.VIEWER,
    "Query.task": Role.VIEWER,
    "Query.taskRuns": Role.VIEWER,
    "Query.taskRun": Role.VIEWER,
    "Query.searchKeywords": Role.VIEWER,
    "Query.toggleTerm": Role.VIEWER,
    "Query.parseSearch": Role.VIEWER,
    "Query.completeSearch": Role.VIEWER,
    "Query.credentials": Role.USER,
    "Query.credential": Role.USER,
    "Query.webhooks": Role.ADMINISTRATOR,
    "Query.webhook": Role.ADMINISTRATOR,
    "Query.apiTokens": Role.ADMINISTRATOR,
    "Query.apiToken": Role.ADMINISTRATOR,
    "Query.auditEvents": Role.ADMINISTRATOR,
    "Query.auditEvent": Role.ADMINISTRATOR,
    "Mutation.createOrganization": Role.SUPERUSER,
    "Query.retentionPreview": Role.ADMINISTRATOR,
    "Mutation.updateRetention": Role.ADMINISTRATOR,
    "Mutation.createSite": Role.ADMINISTRATOR,
    "Mutation.updateSite": Role.ADMINISTRATOR,
    "Mutation.createToken": Role.ADMINISTRATOR,
    "Mutation.revokeToken": Role.ADMINISTRATOR,
    "Mutation.createCredential": Role.ADMINISTRATOR,
    "Mutation.updateCredential": Role.ADMINISTRATOR,
    "Mutation.rotateSecret": Role.ADMINISTRATOR,
    "Mutation.deleteCredential": Role.ADMINISTRATOR,
    "Mutation.verifyCredential": Role.ADMINISTRATOR,
    "Mutation.testCredential": Role.ADMINISTRATOR,
    "Mutation.mergeAssets": Role.USER,
    "Mutation.splitAsset": Role.USER,
    "Mutation.createTask": Role.USER,
    "Mutation.updateTask": Role.USER,
    "Mutation.deleteTask": Role.USER,
    "Mutation.pauseTask": Role.USER,
    "Mutation.pauseTasks": Role.USER,
    "Mutation.resumeTask": Role.USER,
    "Mutation.resumeTasks": Role.USER,
    "Mutation.hideTask": Role.USER,
    "Mutation.triggerTask": Role.USER,
    "Mutation.stopRun": Role.USER,
    "Mutation.stopRuns": Role.USER,
    "Mutation.retryRun": Role.USER,
    "Mutation.importScan": Role.USER,
    "Mutation.confirmRemoval": Role.ADMINISTRATOR,
    "Mutation.createWebhook": Role.ADMINISTRATOR,
    "Mutation.updateWebhook": Role.ADMINISTRATOR,
    "Mutation.deleteWebhook": Role.ADMINISTRATOR,
    "Mutation.testWebhook": Role.ADMINISTRATOR,
    "Subscription.taskRun": Role.VIEWER,
    "Subscription.taskLog": Role.VIEWER,
    "Subscription.inventoryChanged": Role.VIEWER,
    "Node": Role.VIEWER,
    "Asset": Role.VIEWER,
    "Attribute": Role.VIEWER,
    "AzureAdDevice": Role.VIEWER,
    "Match": Role.VIEWER,
    "ScanRecord": Role.VIEWER,
    "ScanOptions": Role.VIEWER,
    "ScanProbes": Role.VIEWER,
    "AzureAdProbe": Role.VIEWER,
    "Service": Role.VIEWER,
    "OsMatch": Role.VIEWER,
    "ScriptOutput": Role.VIEWER,
    "User": Role.VIEWER,
    "GroupOwner": Role.VIEWER,
    "DirectoryObject": Role.VIEWER,
    "Group": Role.VIEWER,
    "Site": Role.VIEWER,
    "Organization": Role.VIEWER,
    "Retention": Role.VIEWER,
    "RetentionEffect": Role.ADMINISTRATOR,
    "Task": Role.VIEWER,
    "Task.credential": Role.USER,
    "Schedule": Role.VIEWER,
    "TaskRun": Role.VIEWER,
    "TaskRunLogEntry": Role.VIEWER,
    "StageProgress": Role.VIEWER,
    "InventoryCounts": Role.VIEWER,
    "RequestCounts": Role.VIEWER,
    "StreamRequests": Role.VIEWER,
    "RunError": Role.VIEWER,
    "InventoryChange": Role.VIEWER,
    "Webhook": Role.ADMINISTRATOR,
    "AlertDelivery": Role.ADMINISTRATOR,
    "Credential": Role.USER,
    "CredentialVerification": Role.USER,
    "CredentialCheck": Role.USER,
    "ApiToken": Role.ADMINISTRATOR,
    "AuditEvent": Role.ADMINISTRATOR,
    "Viewer": Role.VIEWER,
    "Server": Role.VIEWER,
    "Limit": Role.VIEWER,
    "Duplicates": Role.VIEWER,
    "Duplicate": Role.VIEWER,
    "Changes": Role.VIEWER,
    "Change": Role.VIEWER,
    "ChangesPageInfo": Role.VIEWER,
    "PageInfo": Role.VIEWER,
    "SearchKeyword": Role.VIEWER,
    "SearchParse": Role.VIEWER,
    "SearchMistake": Role.VIEWER,
    "SearchTerm": Role.VIEWER,
    "SearchCompletion": Role.VIEWER,
    "SearchCompletionItem": Role.VIEWER,
    "Aggregate": Role.VIEWER,
    "AggregateGroup": Role.VIEWER,
    "AggregateKey": Role.VIEWER,
}


def least_role(coordinate: str) -> Role | None:
    """Return the least role for a coordinate such as `Task.credential`; None if nobody may."""
    type_name = coordinate.partition(".")[0]
    return TABLE.get(coordinate) or TABLE.get(type_name) or _of_derived(type_name)


def _of_derived(type_name: str) -> Role | None:
    """Connections, edges, payloads and mutation errors are as open as what leads to them."""
    if type_name.startswith("__") or type_name.endswith(("Connection", "Edge", "Payload", "Error")):
        return Role.VIEWER
    return None


def access_table() -> str:
    """Write the tables of docs/access.md: operations by the least role, then types that need more than a viewer's."""
    parts = []
    for role in Role:
        for root in ("Query", "Mutation", "Subscription"):
            prefix = f"{root}."
            names = [
                name.removeprefix(prefix) for name, least in TABLE.items() if name.startswith(prefix) and least is role
            ]
            names = [f"`{name}`" for name in sorted(names) if not name.startswith("__")]
            if names:
                parts.append(f"| {role.lower()} | {root.lower()} | {', '.join(names)} |")
    roots = ("Query.", "Mutation.", "Subscription.")
    inner = [name for name, least in sorted(TABLE.items()) if not name.startswith(roots) and least is not Role.VIEWER]
    rows = [f"| `{name}` | {TABLE[name].lower()} |" for name in inner]
    head = [
        "| least role | | operations |",
        "|---|---|---|",
        *parts,
        "",
        "| type or field | least role |",
        "|---|---|",
        *rows,
    ]
    return "\n".join(head) + "\n"


def required(schema: GraphQLSchema, document: DocumentNode) -> dict[Role | None, str]:
    """Find what a valid document asks for: each role that is needed → the first coordinate that needs it."""
    walk = _Walk(TypeInfo(schema))
    visit(document, TypeInfoVisitor(walk.info, walk))
    return walk.needed


def check(needed: dict[Role | None, str], role: Role) -> None:
    """Refuse a document that asks for more than the role reaches.

    Raises:
        Forbidden: names the first field that is out of reach.
    """
    for least, coordinate in needed.items():
        if least is None or not role.reaches(least):
            allowed = "Nobody may" if least is None else f"The role {least.name} or higher may"
            raise Forbidden(
                f"The role {role.name} may not use {coordinate}.",
                hint=f"{allowed} use it; ask an administrator for another token.",
                coordinate=coordinate,
            )


class _Walk(Visitor):
    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self.info = info
        self.needed: dict[Role | None, str] = {}

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent = self.info.get_parent_type()
        if parent is None or node.name.value == "__typename":
            return
        coordinate = f"{get_named_type(parent).name}.{node.name.value}"
        self.needed.setdefault(least_role(coordinate), coordinate)

    def enter_argument(self, *_: object) -> VisitorAction:
        # Values need no role; a long filter is most of its document.
        return SKIP
