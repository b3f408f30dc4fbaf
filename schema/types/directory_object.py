"""Objects of a directory that no inventory lists: known as members, owners and managers of others alone."""

from __future__ import annotations

import strawberry
from sqlalchemy import func, select

from schema.field.registry import Record, field, identifier, noun
from schema.field.relations import against, assets_pointed_from
from schema.field.scope import through
from schema.field.transitive import groups_of_objects
from schema.list.connection import many
from sync.inventory.directory.kind import Edge
from sync.inventory.directory.other import is_named, is_other
from sync.store.tables import devices, directories, objects

_o = objects.c
_device = devices.alias("named_device")
# A device that is left out has a row, with its name.
_name = func.coalesce(
    _o.display_name,
    select(_device.c.display_name).where(_device.c.id == _o.id).correlate(objects).scalar_subquery(),
)


@strawberry.interface(
    name="GroupOwner", description="What can own a group: a user, or another object of the directory."
)
class GroupOwner(Record):
    """What owners of groups have in common."""

    external_id: str = strawberry.field(description="The object id in the directory. Graph property: `id`.")
    display_name: str | None = strawberry.field(description="Its name, if it is known.")


@noun(
    objects,
    "obj",
    scope=through(_o.directory_id, directories),
    visible=is_other() & is_named(),
    description="An object that a directory names as a member, an owner, a user of a device or a manager, and that is "
    "no user, group or asset here: a service principal, a contact, a user that could not be read, a device that its "
    "task leaves out.",
)
class DirectoryObject(GroupOwner):
    """An object that is only known by the edges that lead to it."""

    id: strawberry.ID = identifier()
    external_id: str = field(
        _o.external_id, "The object id in the directory. Graph property: `id`.", keyword="object_id"
    )
    kind: str | None = field(
        _o.kind,
        "What Microsoft Graph calls it, such as `servicePrincipal`, `orgContact`, `user` or `device`; null if it did "
        "not say.",
        aliases=("type",),
    )
    display_name: str | None = field(
        _name, "Its name, if the directory gave one with the relation.", aliases=("name",), text=True
    )
    groups = many("Group", "The groups it is a member of.", lambda: against(Edge.MEMBER), transitive=groups_of_objects)
    owned_groups = many("Group", "The groups it owns.", lambda: against(Edge.GROUP_OWNER))
    owned_assets = many("Asset", "The assets whose device it owns.", lambda: assets_pointed_from(Edge.DEVICE_OWNER))
    registered_assets = many(
        "Asset", "The assets whose device is registered to it.", lambda: assets_pointed_from(Edge.DEVICE_USER)
    )
    direct_reports = many("User", "The users whose manager it is.", lambda: against(Edge.MANAGER))
