"""ONE table of access: coordinate of the schema → the least role. A coordinate without a row is denied to everyone.

A document is checked as a whole before it runs, so plans and the executor need no checks of their own. The table does
not decide which rows a caller sees: `Noun.scope` keeps every read inside the caller's organization.
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
    """The role of a token; each role includes the rights of those before it."""

    VIEWER = "VIEWER"
    ANNOTATOR = "ANNOTATOR"
    USER = "USER"
    ADMINISTRATOR = "ADMINISTRATOR"
    SUPERUSER = "SUPERUSER"

    def reaches(self, least: Role) -> bool:
        """Return whether this role includes the rights of `least`."""
        return _RANK[self] >= _RANK[least]


_RANK = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True)
class Principal:
    """The caller: an API token's number or a directory object's id, with its organization and its role."""

    token_id: int | str
    organization_id: int
    role: Role
    name: str
    # The end of a directory's token; that of an API token is in the database. A renewed token is the same caller.
    expires_at: datetime | None = dataclasses.field(default=None, compare=False)

    @property
    def actor(self) -> str:
        """The caller's name in audit events."""
        return f"{'token' if isinstance(self.token_id, int) else 'entra'}:{self.token_id} {self.name}"


# The row of a type is for all its fields without a row of their own.
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
    """Return the least role for a coordinate such as `Task.credential`; None if it is denied to everyone."""
    type_name = coordinate.partition(".")[0]
    return TABLE.get(coordinate) or TABLE.get(type_name) or _of_derived(type_name)


def _of_derived(type_name: str) -> Role | None:
    """Return the role of a connection, edge, payload or mutation error; the field that leads to it is checked, too."""
    if type_name.startswith("__") or type_name.endswith(("Connection", "Edge", "Payload", "Error")):
        return Role.VIEWER
    return None


def access_table() -> str:
    """Return the tables of docs/access.md: operations by least role, then types that need more than VIEWER."""
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
    """Return the roles that a valid document needs, each with the first coordinate that needs it."""
    walk = _Walk(TypeInfo(schema))
    visit(document, TypeInfoVisitor(walk.info, walk))
    return walk.needed


def check(needed: dict[Role | None, str], role: Role) -> None:
    """Refuse a document that needs more than the caller's role.

    Raises:
        Forbidden: names the first field that the role may not use.
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
        # Skip values: they need no role, and a long filter is most of its document.
        return SKIP
