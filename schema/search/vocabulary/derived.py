"""Derived keywords, which are not fields: expressions over relations, counts, addresses and runs of tasks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

from schema.field.ids import decode_id
from schema.field.registry import NOUNS, FieldKind, Noun, Relation
from schema.filter.expr import (
    EVERYTHING,
    NOTHING,
    And,
    Compare,
    Count,
    Expr,
    Not,
    Op,
    Or,
    Quantifier,
    Related,
    either,
    exists,
)
from schema.search.value import Reading, condition, number, source, time, yes
from schema.search.vocabulary.directory import (
    device_id,
    excludes_of_site,
    is_disabled,
    matched,
    parent_of_task,
    password_expired,
    task_status,
    template_of_task,
    uncollected,
)
from schema.search.vocabulary.keyword import Keyword, across, of_field, plain
from schema.search.vocabulary.service import service_keywords
from sync.errors import BadInput
from sync.inventory.asset.service import PRIVATE
from sync.inventory.asset.source import AZUREAD, SCAN

# Noun → the fields that find its rows by name in keywords of related rows.
_NAMES = {
    "User": ("display_name", "user_principal_name", "email"),
    "DirectoryObject": ("display_name", "external_id"),
    "Group": ("display_name", "email"),
    "Asset": ("names",),
    "Task": ("name",),
    "Site": ("name",),
    "Organization": ("name",),
    "Credential": ("name",),
}
_COUNTED = {*_NAMES, "TaskRun"}


def _related(name: str, target: str, description: str, *ways: str, aliases: tuple[str, ...] = ()) -> Keyword:
    """Make a keyword that finds related rows by name or id; each way is a path of relations joined by dots."""
    return _related_any(name, [(way, target) for way in ways], description, aliases)


def _related_any(
    name: str,
    ways: Sequence[tuple[str, str]],
    description: str,
    aliases: tuple[str, ...] = (),
    present: Expr | None = None,
) -> Keyword:
    """Make a keyword that finds related rows of several nouns by name or id.

    Args:
        name: of the keyword.
        ways: paths of relations joined by dots, each with its target noun.
        description: of the keyword.
        aliases: of the keyword.
        present: the condition that there is a related row; the default follows the ways.
    """

    def read(reading: Reading) -> Expr:
        if reading.is_missing:
            return Not(there)
        return either(_along(way, _named(NOUNS[target], reading)) for way, target in ways)

    there = present or either(_along(way, EVERYTHING) for way, _ in ways)
    named_by = ways[0][1], _NAMES[ways[0][1]][0]
    return Keyword(name, aliases, FieldKind.TEXT, description, read, there, field=named_by)


def _named(noun: Noun, reading: Reading) -> Expr:
    parts: list[Expr] = [condition(noun.fields[field], noun.prefix, reading) for field in _NAMES[noun.name]]
    if (key := _key(noun.prefix, reading)) is not None:
        parts.append(Compare("id", Op.EQ, key))
    return Or(tuple(parts))


def _related_id(name: str, target: str, description: str, way: str) -> Keyword:
    """Make a keyword that finds related rows by id, ours or the directory's."""

    def read(reading: Reading) -> Expr:
        reading.refuse_order("An id", FieldKind.ID)
        if reading.is_missing:
            return Not(exists(way))
        external = Compare("external_id", Op.EQ, reading.literal)
        key = _key(NOUNS[target].prefix, reading)
        return _along(way, external if key is None else Or((external, Compare("id", Op.EQ, key))))

    return Keyword(name, (), FieldKind.ID, description, read, exists(way))


def _key(prefix: str, reading: Reading) -> int | None:
    try:
        return decode_id(reading.literal, prefix, "")
    except BadInput:
        return None


def _along(way: str, part: Expr) -> Expr:
    for relation in reversed(way.split(".")):
        part = Related(relation, Quantifier.SOME, part)
    return part


def _count(name: str, description: str, *relations: str) -> Keyword:
    def read(reading: Reading) -> Expr:
        return Count(relations, Op.EQ, 0) if reading.is_missing else Count(relations, *number(reading))

    return Keyword(name, (), FieldKind.INT, description, read, Count(relations, Op.GT, 0))


def _of_record(name: str, *ways: tuple[str, str], noun: str = "Asset") -> Keyword:
    """Make a keyword that lifts fields of related rows; each way is a relation and a field of its target."""
    found = []
    for way, field in ways:
        relation = NOUNS[noun].relations[way]
        target = NOUNS[relation.target]
        found.append(across(relation, of_field(target, target.condition(field))))
    first, there = replace(found[0], name=name, aliases=()), either(keyword.present for keyword in found)

    def read(reading: Reading) -> Expr:
        return Not(there) if reading.is_missing else either(keyword.read(reading) for keyword in found)

    return replace(first, read=read, present=there)


def _of_relations(noun: Noun, taken: Collection[str]) -> Iterator[Keyword]:
    """Make a keyword and a count keyword for each relation whose names are not taken."""
    for relation in noun.relations.values():
        name = relation.singular
        if relation.target in _NAMES and plain(name) not in taken:
            yield _of_relation(noun, relation, name)
        if relation.is_many and relation.target in _COUNTED and plain(f"{name}_count") not in taken:
            yield _count(f"{name}_count", f"The number of rows of `{relation.graphql_name}`.", relation.name)


def _of_relation(noun: Noun, relation: Relation, name: str) -> Keyword:
    ways = [(relation.name, relation.target)]
    if relation.others:
        ways.append((relation.others, noun.relations[relation.others].target))
    return _related_any(name, ways, f"{relation.description} By name or id.", present=exists(relation.name))


def _flag(name: str, description: str, meaning: Expr) -> Keyword:
    """Make a keyword that is true or false and never missing."""

    def read(reading: Reading) -> Expr:
        if reading.is_missing:
            return NOTHING
        return meaning if yes(reading) else Not(meaning)

    return Keyword(name, (), FieldKind.BOOL, description, read, EVERYTHING)


def _any_field(name: str, aliases: tuple[str, ...], noun: str, fields: Sequence[str], description: str) -> Keyword:
    """Make a keyword over several fields: it matches if any does, and is missing if all are."""

    def read(reading: Reading) -> Expr:
        parts = tuple(condition(NOUNS[noun].fields[field], "", reading) for field in fields)
        return And(parts) if reading.is_missing else Or(parts)

    there = Or(tuple(Compare(field, Op.IS_EMPTY, False) for field in fields))
    return Keyword(name, aliases, FieldKind.TEXT, description, read, there, field=(noun, fields[0]))


def _system() -> Keyword:
    description = "The operating system, or the alternative that it may be instead."
    both = _any_field("os", (), "Asset", ("os", "os_alternative"), description)
    return replace(both, is_own=True, also="os_alternative")


def _networks() -> Keyword:
    def read(reading: Reading) -> Expr:
        found = condition(NOUNS["Asset"].fields["addresses"], "", reading)
        if isinstance(found, Compare) and found.op not in (Op.IN_NETWORK, Op.IS_EMPTY):
            reading.refuse(f"{reading.quoted} is not a network", ["10.0.0.0/8", "fd00::/8", "10.0.0.5"])
        return found

    description = "A network that contains one of the IP addresses."
    there, field = Compare("addresses", Op.IS_EMPTY, False), ("Asset", "addresses")
    return Keyword("net", ("network",), FieldKind.ADDRESSES, description, read, there, field=field)


def _source() -> Keyword:
    """Make the keyword for the single source of a user or group; its value may be an alias of the source."""

    def read(reading: Reading) -> Expr:
        return NOTHING if reading.is_missing else Compare("source", Op.EQ, source(reading))

    description = "The source of the record."
    return Keyword("source", (), FieldKind.SOURCES, description, read, EVERYTHING, values=(AZUREAD,))


def _last_logon() -> Keyword:
    names = ("last_logon", "last_sign_in", "sign_in_activity", "last_sign_in_date_time")
    instead = (
        "Ask when a device of the user was last seen (owned_assets.last_seen:<30days), "
        "or when the password was changed (last_password_change_date_time:<90days)."
    )
    return uncollected("last_logon_at", names, FieldKind.TIME, "Sign-in activity is not collected", instead)


def _last_run_at() -> Keyword:
    there = exists("last_run")

    def read(reading: Reading) -> Expr:
        asked = NOTHING if reading.is_missing else time("created_at", reading)
        is_never = reading.is_missing or asked == Compare("created_at", Op.IS_NULL, True)
        return Not(there) if is_never else Related("last_run", Quantifier.SOME, asked)

    description = "The time when its latest run was queued; 0 if it never ran."
    return Keyword("last_run", ("recur_last",), FieldKind.TIME, description, read, there)


def _task_source() -> Keyword:
    kinds = {AZUREAD: "CONNECTOR", SCAN: "SCAN"}

    def read(reading: Reading) -> Expr:
        return NOTHING if reading.is_missing else Compare("kind", Op.EQ, kinds[source(reading)])

    description = "The source that it reads: a directory or the network."
    return Keyword("source", (), FieldKind.SOURCES, description, read, EVERYTHING, values=tuple(kinds))


def _task_error() -> Keyword:
    return replace(_of_record("error", ("last_run", "error"), noun="Task"), is_text=True)


def _groups(whose: str) -> list[Keyword]:
    """Make the keywords for the groups of an asset or user."""
    by_name = _of_record("group_name", ("groups", "display_name"), noun=whose)
    return [
        _related("group", "Group", f"{_GROUP[whose]}, by name, e-mail or id.", "groups", aliases=("member_of",)),
        _related_id("group_id", "Group", f"{_GROUP[whose]}, by id.", "groups"),
        replace(by_name, description=f"{_GROUP[whose]}, by its name alone."),
        _flag("has_group", "Whether it is a direct member of any group.", exists("groups")),
    ]


_GROUP = {"Asset": "A group its device is a member of", "User": "A group the user is a direct member of"}
_SITE = _related("site", "Site", "Its site, by name or id.", "site")
_ORGANIZATION = _related(
    "organization", "Organization", "Its organization, by name or id.", "organization", aliases=("org",)
)
_ORGANIZATION_OF_SITE = _related(
    "organization", "Organization", "Its organization, by name or id.", "site.organization", aliases=("org",)
)
_MEMBERS = [("users", "User"), ("groups", "Group"), ("assets", "Asset"), ("other_members", "DirectoryObject")]
_OWNERS = [("owners", "User"), ("other_owners", "DirectoryObject")]
_REGISTERED = [("registered_users", "User"), ("other_registered_users", "DirectoryObject")]
_MANAGER = [("manager", "User"), ("other_manager", "DirectoryObject")]
_DERIVED: dict[str, Callable[[], list[Keyword]]] = {
    "Asset": lambda: [
        _system(),
        _networks(),
        _flag("has_mac", "Whether a MAC address is known.", Compare("macs", Op.IS_EMPTY, False)),
        _flag("has_name", "Whether a name is known.", Compare("names", Op.IS_EMPTY, False)),
        _flag("has_private", "Whether an IP address is private.", Compare("addresses", Op.IN_NETWORK, PRIVATE)),
        _flag("has_public", "Whether an IP address is public.", Compare("addresses", Op.OUTSIDE, PRIVATE)),
        _flag(
            "has_public_v4",
            "Whether an IPv4 address is public.",
            Compare("addresses", Op.OUTSIDE, (*PRIVATE, "::/0")),
        ),
        _flag(
            "has_public_v6",
            "Whether an IPv6 address is public.",
            Compare("addresses", Op.OUTSIDE, (*PRIVATE, "0.0.0.0/0")),
        ),
        _flag("has_ipv6", "Whether an IP address is IPv6.", Compare("addresses", Op.IN_NETWORK, ("::/0",))),
        _related_any(
            "owner", _OWNERS, "An owner of its device, by name, sign-in name or e-mail.", present=exists("owners")
        ),
        _related_any(
            "user",
            [*_OWNERS, *_REGISTERED],
            "An owner or registered user of its device.",
            present=Or((exists("owners"), exists("registered_users"))),
        ),
        *_groups("Asset"),
        device_id(),
        _count("group_count", "The number of groups that its device is a direct member of.", "groups"),
        _related("task", "Task", "A task that fills its site, by name or id.", "site.tasks"),
        *service_keywords(_of_record),
        _of_record("detected_by", ("scan", "detected_by")),
        matched(_of_record("match", ("azure_ad", "matched_by"), ("scan", "matched_by"))),
        _SITE,
        _ORGANIZATION,
    ],
    "User": lambda: [
        _source(),
        _any_field("phone", (), "User", ("mobile_phone", "business_phones"), "The mobile or a business phone number."),
        *_groups("User"),
        is_disabled(),
        password_expired(),
        _count("group_count", "The number of groups that the user is a direct member of.", "groups"),
        _related_any(
            "manager", _MANAGER, "The manager, by name, sign-in name, e-mail or id.", present=exists("manager")
        ),
        _related("asset", "Asset", "An asset the user owns or has registered.", "owned_assets", "registered_assets"),
        _count(
            "asset_count",
            "The number of assets that the user owns or has registered.",
            "owned_assets",
            "registered_assets",
        ),
        _last_logon(),
        _SITE,
        _ORGANIZATION_OF_SITE,
    ],
    "Group": lambda: [
        _source(),
        _related("user", "User", "A direct member that is a user.", "users"),
        _related_id("user_id", "User", "A direct member that is a user, by id.", "users"),
        _related("asset", "Asset", "An asset whose device is a direct member.", "assets"),
        _related("group", "Group", "A group that is a direct member.", "groups"),
        _related("member_of", "Group", "A group that this one is a direct member of.", "member_of"),
        _related_any("member", _MEMBERS, "A direct member of any kind, by name or id.", present=exists("members")),
        _related_any(
            "owner", _OWNERS, "An owner of any kind, by name, sign-in name, e-mail or id.", present=exists("owners")
        ),
        _count("owner_count", "The number of owners of every kind.", "owners"),
        _count("user_count", "The number of users that are direct members.", "users"),
        _count("group_count", "The number of groups that are direct members.", "groups"),
        _count("asset_count", "The number of assets whose device is a direct member.", "assets"),
        _count("member_of_count", "The number of groups that this one is a direct member of.", "member_of"),
        _count("member_count", "The number of direct members of every kind.", "members"),
        _SITE,
        _ORGANIZATION_OF_SITE,
    ],
    "Task": lambda: [
        task_status(),
        _task_source(),
        _last_run_at(),
        _task_error(),
        _related("credential", "Credential", "The credential it signs in with, by name or id.", "credential"),
        parent_of_task(),
        template_of_task(),
        _SITE,
        _ORGANIZATION_OF_SITE,
    ],
    "TaskRun": lambda: [
        _related("task", "Task", "The task it executes, by name or id.", "task"),
        replace(_of_record("parent_id", ("task", "id"), noun="TaskRun"), description="The task it executes, by id."),
    ],
    "Credential": lambda: [_ORGANIZATION],
    "Site": lambda: [
        _count("asset_count", "The number of its assets.", "assets"),
        excludes_of_site(),
        _ORGANIZATION,
    ],
}


def derived(noun: str) -> list[Keyword]:
    """List an inventory's derived keywords."""
    own = _DERIVED.get(noun, list)()
    taken = {plain(keyword.name) for keyword in own}
    taken |= {plain(field.keyword) for field in NOUNS[noun].filterable().values()}
    return [*own, *_of_relations(NOUNS[noun], taken)]
