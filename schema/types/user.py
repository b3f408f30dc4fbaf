"""Users of a directory."""

from __future__ import annotations

import strawberry
from sqlalchemy import Boolean, false, func

from schema.field.received import received_attributes, received_item, received_list, received_text
from schema.field.registry import field, identifier, noun
from schema.field.relations import against, along, assets_pointed_from, received_of_object, there
from schema.field.scalars import DateTime
from schema.field.scope import own
from schema.field.transitive import groups_of_objects, managers_of_users
from schema.list.across_sites import sites_of_objects, stands_for_all
from schema.list.connection import every, linked, many, one
from schema.types.directory_object import GroupOwner
from sync.entra.licence import LICENCES
from sync.inventory.directory.kind import USER, Edge
from sync.store.tables import users

_u = users.c
_never_expires = func.coalesce(_u.password_policies.contains("DisablePasswordExpiration"), false(), type_=Boolean())

# Properties without a column: they are read from the received JSON.
RECEIVED = {
    "assigned_licenses": received_list(
        users, "assignedLicenses", "The licences it has, by id, part number or name", keyword="license", names=LICENCES
    ),
    "license_assignment_states": received_list(
        users, "licenseAssignmentStates", "The states of its licences, such as `Error`"
    ),
    "assigned_plans": received_list(users, "assignedPlans", "The services its licences bring", keyword="plan"),
    "provisioned_plans": received_list(users, "provisionedPlans", "The services set up for it"),
    "identities": received_list(users, "identities", "Who vouches for it at sign-in", keyword="identity"),
    "on_premises_provisioning_errors": received_list(
        users, "onPremisesProvisioningErrors", "What went wrong on the way from on-premises"
    ),
    "service_provisioning_errors": received_list(
        users, "serviceProvisioningErrors", "The services that could not set it up"
    ),
    "cost_center": received_text(users, "employeeOrgData.costCenter", "The cost centre it belongs to"),
    "division": received_text(users, "employeeOrgData.division", "The division it belongs to"),
    **{
        f"extension_attribute{number}": received_text(
            users, f"onPremisesExtensionAttributes.extensionAttribute{number}", f"Extension attribute {number}"
        )
        for number in range(1, 16)
    },
}


@noun(
    users,
    "user",
    scope=own(users),
    conditions=RECEIVED,
    stands_for_all=stands_for_all(users),
    description="A user of a directory. Deleted users are not listed.",
)
class User(GroupOwner):
    id: strawberry.ID = identifier()
    source: str = field(_u.source, "Where the record comes from: `azuread`.")
    external_id: str = field(_u.external_id, "The object id in the directory. Graph property: `id`.", keyword="user_id")
    user_principal_name: str | None = field(_u.user_principal_name, "The sign-in name.", keyword="upn", text=True)
    display_name: str | None = field(_u.display_name, "The name shown in address books.", aliases=("name",), text=True)
    email: str | None = field(_u.mail, "The primary e-mail address.", text=True)
    given_name: str | None = field(_u.given_name, "First name.", keyword="first_name")
    surname: str | None = field(_u.surname, "Last name.", keyword="last_name")
    job_title: str | None = field(_u.job_title, "Job title.", keyword="title", text=True)
    department: str | None = field(_u.department, "Department.", text=True)
    company_name: str | None = field(_u.company_name, "Company, mostly of guests.", keyword="company")
    employee_id: str | None = field(_u.employee_id, "Employee number given by the organization.")
    employee_type: str | None = field(_u.employee_type, "Such as Employee, Contractor, Vendor.")
    office_location: str | None = field(_u.office_location, "Office.", keyword="location")
    street_address: str | None = field(_u.street_address, "Street.")
    city: str | None = field(_u.city, "City.")
    state: str | None = field(_u.state, "State or province.")
    postal_code: str | None = field(_u.postal_code, "Postal code.")
    country: str | None = field(_u.country, "Country or region.")
    usage_location: str | None = field(_u.usage_location, "Two-letter country that licences are used in.")
    preferred_data_location: str | None = field(_u.preferred_data_location, "Where the user's data is kept.")
    preferred_language: str | None = field(_u.preferred_language, "Language, such as `en-US`.")
    mobile_phone: str | None = field(_u.mobile_phone, "Mobile phone number.")
    business_phones: list[str] | None = field(_u.business_phones, "Business phone numbers.")
    fax_number: str | None = field(_u.fax_number, "Fax number.")
    mail_nickname: str | None = field(_u.mail_nickname, "Mail alias.")
    other_mails: list[str] | None = field(_u.other_mails, "Other e-mail addresses.")
    im_addresses: list[str] | None = field(_u.im_addresses, "Instant message (SIP) addresses.")
    proxy_addresses: list[str] | None = field(_u.proxy_addresses, "Addresses with their protocol, `SMTP:` the primary.")
    account_enabled: bool | None = field(_u.account_enabled, "Whether the account may sign in.", aliases=("enabled",))
    user_type: str | None = field(_u.user_type, "`Member` or `Guest`.")
    creation_type: str | None = field(_u.creation_type, "How the account was made, such as `Invitation`.")
    external_user_state: str | None = field(_u.external_user_state, "For invited guests: the state of the invitation.")
    created_date_time: DateTime | None = field(_u.created_date_time, "When the directory created the user.")
    external_user_state_change_date_time: DateTime | None = field(
        _u.external_user_state_change_date_time, "For invited guests: when that state was reached."
    )
    last_password_change_date_time: DateTime | None = field(
        _u.last_password_change_date_time, "When the password was last changed."
    )
    password_policies: str | None = field(
        _u.password_policies, "What is lifted for it: `DisableStrongPassword`, `DisablePasswordExpiration`, or both."
    )
    password_never_expires: bool | None = field(
        _never_expires, "Whether `DisablePasswordExpiration` is among its password policies."
    )
    sign_in_sessions_valid_from_date_time: DateTime | None = field(
        _u.sign_in_sessions_valid_from_date_time, "When its sessions were last revoked: older tokens are not renewed."
    )
    is_resource_account: bool | None = field(_u.is_resource_account, "Whether it is an account of a room or device.")
    is_management_restricted: bool | None = field(
        _u.is_management_restricted, "Whether a restricted administrative unit holds it."
    )
    employee_hire_date: DateTime | None = field(
        _u.employee_hire_date, "When the person was or will be hired.", keyword="hire_date"
    )
    age_group: str | None = field(_u.age_group, "`Minor`, `NotAdult` or `Adult`.")
    consent_provided_for_minor: str | None = field(
        _u.consent_provided_for_minor, "`Granted`, `Denied` or `NotRequired`."
    )
    legal_age_group_classification: str | None = field(
        _u.legal_age_group_classification, "What age group and consent come to, such as `Adult`."
    )
    security_identifier: str | None = field(_u.security_identifier, "Security identifier (SID).")
    on_premises_sync_enabled: bool | None = field(
        _u.on_premises_sync_enabled, "Whether it comes from an on-premises AD."
    )
    on_premises_last_sync_date_time: DateTime | None = field(
        _u.on_premises_last_sync_date_time, "When it was last synced from on-premises."
    )
    on_premises_sam_account_name: str | None = field(_u.on_premises_sam_account_name, "SAM account name on-premises.")
    on_premises_domain_name: str | None = field(_u.on_premises_domain_name, "DNS domain on-premises.")
    on_premises_distinguished_name: str | None = field(_u.on_premises_distinguished_name, "Distinguished name (DN).")
    on_premises_immutable_id: str | None = field(
        _u.on_premises_immutable_id, "What joins it to its on-premises account."
    )
    on_premises_security_identifier: str | None = field(_u.on_premises_security_identifier, "SID on-premises.")
    on_premises_user_principal_name: str | None = field(
        _u.on_premises_user_principal_name, "User principal name on-premises."
    )
    created_at: DateTime = field(_u.created_at, "When this server first saw the user.")
    updated_at: DateTime = field(
        _u.updated_at,
        'When this server last saw the user change, or first saw it; since yesterday is `newerThan: "1d"`.',
    )
    site = one("Site", "site_id", "The site whose task reads the directory.", is_required=True)
    sites = many("Site", "Every site whose task reads this user of the directory.", sites_of_objects(users))
    manager = linked(
        "User",
        "The user's manager; `otherManager` is one that is no user here, and conditions ask both.",
        lambda: along(Edge.MANAGER),
        others=("other_manager", lambda: there(Edge.MANAGER, (USER,))),
    )
    other_manager = linked(
        "DirectoryObject",
        "The manager, if that is no user here: a contact, or a user that could not be read.",
        lambda: along(Edge.MANAGER),
    )
    manager_chain = every(
        "User",
        "The user's manager, that one's manager, and so on; ends before a circle closes, and where the next manager is "
        "no user here (`otherManager` of the last one).",
        managers_of_users,
        expected=10,
        is_crossed=False,
    )
    direct_reports = many("User", "The users whose manager this is.", lambda: against(Edge.MANAGER))
    groups = many(
        "Group", "The groups the user is a member of.", lambda: against(Edge.MEMBER), transitive=groups_of_objects
    )
    owned_groups = many("Group", "The groups the user owns.", lambda: against(Edge.GROUP_OWNER))
    owned_assets = many(
        "Asset", "The assets whose device the user owns.", lambda: assets_pointed_from(Edge.DEVICE_OWNER)
    )
    registered_assets = many(
        "Asset", "The assets whose device is registered to the user.", lambda: assets_pointed_from(Edge.DEVICE_USER)
    )
    attributes = received_attributes(received_of_object)
    raw = received_item()
