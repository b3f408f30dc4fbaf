"""Azure AD's record of a device; several may belong to one asset."""

from __future__ import annotations

import strawberry
from sqlalchemy import Text, func, select

from schema.field.received import received_item
from schema.field.registry import Field, FieldKind, Record, condition, field, identifier, noun
from schema.field.relations import against, along, there
from schema.field.scalars import JSON, DateTime
from schema.field.scope import own
from schema.list.connection import many, one
from sync.inventory.directory.kind import USER, Edge
from sync.store.tables import devices, matches

_d = devices.c


_matched_by = (
    select(matches.c.key)
    .where(matches.c.object_id == _d.id, matches.c.asset_id == _d.asset_id)
    .correlate(devices)
    .scalar_subquery()
)


def _extension(number: int) -> tuple[str, Field]:
    """Make one of the fifteen extension attributes something to filter by; they lie in one JSON column."""
    # Spelled out: SQLAlchemy's own way to a part of JSON converts the path when it runs, which a plan does not.
    column = func.json_extract(_d.extension_attributes, f"$.extensionAttribute{number}", type_=Text)
    return f"extension_attribute{number}", condition(column, FieldKind.TEXT, f"Extension attribute {number}.")


@noun(
    devices,
    "dev",
    scope=own(devices),
    conditions={
        **dict(map(_extension, range(1, 16))),
        "matched_by": condition(
            _matched_by,
            FieldKind.TEXT,
            "What it was recognised by, as `matches` of an asset spells it.",
            keyword="match",
        ),
        "alternative_security_id_keys": condition(
            _d.alternative_security_ids,
            FieldKind.LIST,
            "The keys of its alternative security ids.",
            element="key",
        ),
        "alternative_security_id_types": condition(
            _d.alternative_security_ids,
            FieldKind.NUMBERS,
            "The types of its alternative security ids.",
            element="type",
        ),
    },
    description="Azure AD's record of a device, every property of Microsoft Graph v1.0.",
)
class AzureAdDevice(Record):
    """A device as Azure AD knows it."""

    id: strawberry.ID = identifier()
    external_id: str = field(
        _d.external_id, "The object id in the directory. Graph property: `id`.", keyword="device_object_id"
    )
    device_id: str | None = field(_d.device_id, "The id the device itself knows; Intune calls it azureADDeviceId.")
    display_name: str | None = field(_d.display_name, "The device's name.", aliases=("name",), text=True)
    account_enabled: bool | None = field(_d.account_enabled, "Whether the device may sign in.")
    trust_type: str | None = field(
        _d.trust_type, "How it is joined: `Workplace` (registered), `AzureAd` (joined), `ServerAd` (hybrid)."
    )
    profile_type: str | None = field(_d.profile_type, "`RegisteredDevice`, `SecureVM`, `Printer`, `Shared` or `IoT`.")
    operating_system: str | None = field(_d.operating_system, "The operating system.")
    operating_system_version: str | None = field(_d.operating_system_version, "Its version.", kind=FieldKind.VERSION)
    manufacturer: str | None = field(_d.manufacturer, "The manufacturer.")
    model: str | None = field(_d.model, "The model.")
    approximate_last_sign_in_date_time: DateTime | None = field(
        _d.approximate_last_sign_in_date_time, "The last sign-in, up to about two weeks behind."
    )
    registration_date_time: DateTime | None = field(_d.registration_date_time, "When it was registered.")
    created_date_time: DateTime | None = field(_d.created_date_time, "When the directory created the record.")
    compliance_expiration_date_time: DateTime | None = field(
        _d.compliance_expiration_date_time, "When it stops being deemed compliant."
    )
    is_compliant: bool | None = field(_d.is_compliant, "Whether it complies with its management policies.")
    is_managed: bool | None = field(_d.is_managed, "Whether a device management app manages it.")
    is_rooted: bool | None = field(_d.is_rooted, "Whether it is rooted or jail-broken.")
    is_management_restricted: bool | None = field(
        _d.is_management_restricted, "Whether a restricted administrative unit holds it."
    )
    management_type: str | None = field(_d.management_type, "The channel it is managed through, such as `MDM`.")
    mdm_app_id: str | None = field(_d.mdm_app_id, "The application that manages it.")
    device_category: str | None = field(_d.device_category, "A category set by Intune.")
    device_ownership: str | None = field(_d.device_ownership, "`unknown`, `company` or `personal`.")
    enrollment_profile_name: str | None = field(_d.enrollment_profile_name, "The enrolment profile.")
    enrollment_type: str | None = field(_d.enrollment_type, "How it was enrolled.")
    on_premises_sync_enabled: bool | None = field(
        _d.on_premises_sync_enabled, "Whether it comes from an on-premises AD."
    )
    on_premises_last_sync_date_time: DateTime | None = field(
        _d.on_premises_last_sync_date_time, "When it was last synced from on-premises."
    )
    on_premises_security_identifier: str | None = field(_d.on_premises_security_identifier, "SID on-premises.")
    physical_ids: list[str] | None = field(_d.physical_ids, "Identifiers for the directory's own use.")
    system_labels: list[str] | None = field(_d.system_labels, "Labels the system applied.")
    device_metadata: str | None = field(_d.device_metadata, "For the directory's own use.")
    device_version: int | None = field(_d.device_version, "For the directory's own use.")
    alternative_security_ids: JSON | None = field(
        _d.alternative_security_ids, "For the directory's own use.", where=False
    )
    extension_attributes: JSON | None = field(
        _d.extension_attributes, "extensionAttribute1 to extensionAttribute15.", where=False
    )
    created_at: DateTime = field(_d.created_at, "When this server first saw the device.")
    updated_at: DateTime = field(_d.updated_at, "When this server last saw the device change.")
    asset = one("Asset", "asset_id", "The asset it is a record of.")
    registered_owners = many(
        "User",
        "The users that own it; `otherRegisteredOwners` are those that are no user here, and conditions ask both.",
        lambda: along(Edge.DEVICE_OWNER),
        others=("other_registered_owners", lambda: there(Edge.DEVICE_OWNER, (USER,))),
    )
    other_registered_owners = many(
        "DirectoryObject",
        "The owners that are no user here, such as service principals.",
        lambda: along(Edge.DEVICE_OWNER),
    )
    registered_users = many(
        "User",
        "The users it is registered to; `otherRegisteredUsers` are those that are no user here, and conditions ask "
        "both.",
        lambda: along(Edge.DEVICE_USER),
        others=("other_registered_users", lambda: there(Edge.DEVICE_USER, (USER,))),
    )
    other_registered_users = many(
        "DirectoryObject",
        "What it is registered to and is no user here, such as a user that could not be read.",
        lambda: along(Edge.DEVICE_USER),
    )
    groups = many("Group", "The groups it is a direct member of.", lambda: against(Edge.MEMBER))
    raw = received_item()
