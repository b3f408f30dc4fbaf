"""Groups of a directory, with their members of every kind."""

from __future__ import annotations

import enum

import strawberry

from schema.field.received import received_attributes, received_item, received_list, received_text
from schema.field.registry import Record, field, identifier, noun
from schema.field.relations import against, along, number_of_users, received_of_object, to_assets
from schema.field.resolution import Rows, gathered
from schema.field.scalars import DateTime
from schema.field.scope import own
from schema.field.transitive import assets_of_groups, groups_of_objects, members_of_groups
from schema.list.across_sites import sites_of_objects, stands_for_all
from schema.list.connection import many, one
from schema.list.members import members, owners
from sync.entra.licence import LICENCES
from sync.inventory.directory.kind import Edge
from sync.store.tables import groups

_g = groups.c


@strawberry.enum(description="What a group is for.")
class GroupKind(enum.Enum):
    SECURITY = strawberry.enum_value("SECURITY", description="Grants access.")
    MICROSOFT_365 = strawberry.enum_value("MICROSOFT_365", description="Collaboration: shared mailbox, files, Teams.")
    MAIL_ENABLED_SECURITY = strawberry.enum_value(
        "MAIL_ENABLED_SECURITY", description="Grants access and has an address."
    )
    DISTRIBUTION = strawberry.enum_value("DISTRIBUTION", description="A mailing list.")


# Properties without a column: they are read from the received JSON.
RECEIVED = {
    "assigned_labels": received_list(groups, "assignedLabels", "Its sensitivity labels", keyword="label"),
    "assigned_licenses": received_list(
        groups,
        "assignedLicenses",
        "The licences its members get, by id, part number or name",
        keyword="license",
        names=LICENCES,
    ),
    "license_processing_state": received_text(
        groups, "licenseProcessingState.state", "How far its licences have got, such as `ProcessingComplete`"
    ),
    "on_premises_provisioning_errors": received_list(
        groups, "onPremisesProvisioningErrors", "What went wrong on the way from on-premises"
    ),
    "service_provisioning_errors": received_list(
        groups, "serviceProvisioningErrors", "The services that could not set it up"
    ),
}


@noun(
    groups,
    "group",
    scope=own(groups),
    conditions=RECEIVED,
    stands_for_all=stands_for_all(groups),
    description="A group of a directory. Deleted groups are not listed.",
)
class Group(Record):
    id: strawberry.ID = identifier()
    source: str = field(_g.source, "Where the record comes from: `azuread`.")
    external_id: str = field(
        _g.external_id, "The object id in the directory. Graph property: `id`.", keyword="group_id"
    )
    display_name: str | None = field(_g.display_name, "The group's name.", aliases=("name",), text=True)
    description: str | None = field(_g.description, "What the group is.", text=True)
    email: str | None = field(_g.mail, "The group's e-mail address.", text=True)
    mail_nickname: str | None = field(_g.mail_nickname, "Mail alias.")
    mail_enabled: bool | None = field(_g.mail_enabled, "Whether it receives mail.")
    security_enabled: bool | None = field(_g.security_enabled, "Whether it can be granted access.")
    proxy_addresses: list[str] | None = field(_g.proxy_addresses, "Addresses with their protocol, `SMTP:` the primary.")
    kind: GroupKind = field(_g.kind, "What the group is for, read from its types.", enum=GroupKind, aliases=("type",))
    dynamic: bool = field(_g.is_dynamic, "Whether a rule decides who is a member.")
    group_types: list[str] | None = field(_g.group_types, "`Unified`, `DynamicMembership`.")
    membership_rule: str | None = field(_g.membership_rule, "The rule of a dynamic group.")
    membership_rule_processing_state: str | None = field(_g.membership_rule_processing_state, "`On` or `Paused`.")
    membership_known: bool = field(
        _g.membership_known, "False if the directory hides the members: no member then means unknown, not none."
    )
    visibility: str | None = field(_g.visibility, "`Public`, `Private` or `HiddenMembership`.")
    classification: str | None = field(_g.classification, "Such as low, medium or high business impact.")
    is_assignable_to_role: bool | None = field(
        _g.is_assignable_to_role, "Whether directory roles can be assigned to it."
    )
    is_management_restricted: bool | None = field(
        _g.is_management_restricted, "Whether a restricted administrative unit holds it."
    )
    unique_name: str | None = field(_g.unique_name, "A name of its own that programs may have given it.")
    created_date_time: DateTime | None = field(_g.created_date_time, "When the directory created the group.")
    renewed_date_time: DateTime | None = field(_g.renewed_date_time, "When the group was last renewed.")
    expiration_date_time: DateTime | None = field(_g.expiration_date_time, "When the group will expire.")
    preferred_data_location: str | None = field(_g.preferred_data_location, "Where the group's data is kept.")
    preferred_language: str | None = field(_g.preferred_language, "Language, such as `en-US`.")
    security_identifier: str | None = field(_g.security_identifier, "Security identifier (SID).")
    theme: str | None = field(_g.theme, "Colour theme of a Microsoft 365 group.")
    resource_behavior_options: list[str] | None = field(_g.resource_behavior_options, "Behaviours set at creation.")
    resource_provisioning_options: list[str] | None = field(_g.resource_provisioning_options, "Such as `Team`.")
    on_premises_sync_enabled: bool | None = field(
        _g.on_premises_sync_enabled, "Whether it comes from an on-premises AD."
    )
    on_premises_last_sync_date_time: DateTime | None = field(
        _g.on_premises_last_sync_date_time, "When it was last synced from on-premises."
    )
    on_premises_sam_account_name: str | None = field(_g.on_premises_sam_account_name, "SAM account name on-premises.")
    on_premises_domain_name: str | None = field(_g.on_premises_domain_name, "DNS domain on-premises.")
    on_premises_net_bios_name: str | None = field(_g.on_premises_net_bios_name, "NetBIOS domain on-premises.")
    on_premises_security_identifier: str | None = field(_g.on_premises_security_identifier, "SID on-premises.")
    created_at: DateTime = field(_g.created_at, "When this server first saw the group.")
    updated_at: DateTime = field(
        _g.updated_at,
        'When this server last saw the group change, or first saw it; since yesterday is `newerThan: "1d"`.',
    )
    site = one("Site", "site_id", "The site whose task reads the directory.", is_required=True)
    sites = many("Site", "Every site whose task reads this group of the directory.", sites_of_objects(groups))
    members = members()
    users = many("User", "The users that are members.", lambda: along(Edge.MEMBER), transitive=members_of_groups)
    assets = many(
        "Asset", "The assets whose device is a member.", lambda: to_assets(Edge.MEMBER), transitive=assets_of_groups
    )
    groups = many(
        "Group",
        "The groups that are members (nested groups).",
        lambda: along(Edge.MEMBER),
        transitive=members_of_groups,
    )
    member_of = many(
        "Group", "The groups that this one is a member of.", lambda: against(Edge.MEMBER), transitive=groups_of_objects
    )
    other_members = many(
        "DirectoryObject",
        "The members that are no user, group or asset here, such as service principals and contacts.",
        lambda: along(Edge.MEMBER),
        transitive=members_of_groups,
    )
    owners = owners("other_owners")
    other_owners = many(
        "DirectoryObject",
        "The owners that are no user here, such as service principals.",
        lambda: along(Edge.GROUP_OWNER),
    )

    attributes = received_attributes(received_of_object)
    raw = received_item()

    @gathered(number_of_users, description="How many users are direct members.")
    def user_count(rows: Rows) -> int:
        """Count the direct members that are users and there."""
        return int(rows[0]["number"]) if rows else 0
