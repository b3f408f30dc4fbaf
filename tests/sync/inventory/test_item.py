"""One item of a page: folding of repeats, columns, times, group kinds and content hashes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import BadResponse
from sync.inventory.directory.item import attributes, changes, columns, content_hash, json_text, kind_of, read_time
from sync.inventory.directory.kind import GROUP, KINDS, USER, Edge, Kind
from sync.store.tables.column import LOWER, graph_columns
from tests.sync.inventory.values import ANY_TYPE, fits

Item = dict[str, Any]


def members(*added: str, removed: tuple[str, ...] = ()) -> list[Item]:
    """Return the entries of a members@delta."""
    shown: list[Item] = [{"@odata.type": "#microsoft.graph.user", "id": name} for name in added]
    return [*shown, *({"id": name, "@removed": {"reason": "deleted"}} for name in removed)]


def hashed(kind: Kind, item: Item) -> bytes:
    """Return the content hash of an item."""
    return content_hash(kind, json_text(item))


def test_big_group_becomes_one_change_when_it_is_repeated() -> None:
    """Graph repeats a big group with other members each time: the pages add up."""
    items = [{"id": "g", "displayName": "G", "members@delta": members(name)} for name in ("a", "b", "c")]
    (change,) = changes(GROUP, items)
    assert change.item == {"id": "g", "displayName": "G"}
    assert change.linked == {Edge.MEMBER: {"a": "user", "b": "user", "c": "user"}}
    assert change.unlinked == {Edge.MEMBER: set()}


def test_last_word_counts_when_an_item_is_replayed() -> None:
    """The last item gives the attributes; an edge is there or not as its last entry says."""
    items: list[Item] = [
        {"id": "g", "displayName": "old", "members@delta": members("a", "b", removed=("c",))},
        {"id": "other", "displayName": "other"},
        {"id": "g", "displayName": "new", "members@delta": members("c", removed=("a",))},
    ]
    change, other = changes(GROUP, items)
    assert (change.external_id, other.external_id) == ("g", "other")
    assert change.item is not None and change.item["displayName"] == "new"
    assert change.linked == {Edge.MEMBER: {"b": "user", "c": "user"}}
    assert change.unlinked == {Edge.MEMBER: {"a"}}


@pytest.mark.parametrize(
    ("items", "removed"),
    [
        ([{"id": "u", "@removed": {"reason": "changed"}}], "changed"),
        ([{"id": "u", "@removed": {"reason": "deleted"}}], "deleted"),
        ([{"id": "u", "@removed": "deleted"}], "changed"),
        ([{"id": "u", "@removed": {"reason": "unheardOf"}}], "changed"),
        ([{"id": "u", "@removed": {}}], "changed"),
        ([{"id": "u", "@removed": None}], "changed"),
        ([{"id": "u", "displayName": "U"}, {"id": "u", "@removed": {"reason": "changed"}}], "changed"),
        ([{"id": "u", "@removed": {"reason": "deleted"}}, {"id": "u", "displayName": "U"}], None),
        (
            [{"id": "u", "@removed": {"reason": "changed"}}, {"id": "u", "@removed": {"reason": "deleted"}}],
            "deleted",
        ),
    ],
    ids=str,
)
def test_removal_is_the_last_word_or_forgotten(items: list[Item], removed: str | None) -> None:
    """Removed, restored, removed again: the last item says; only a removal for good is one for good."""
    (change,) = changes(USER, items)
    assert change.removed == removed
    assert (change.item is None) == all("@removed" in item for item in items)


def test_last_manager_counts_when_a_user_is_replayed_with_another() -> None:
    """A user has one manager: two items in one page must not leave two."""
    items = [{"id": "u", "manager@delta": members(name)} for name in ("first", "second")]
    (change,) = changes(USER, items)
    assert change.linked == {Edge.MANAGER: {"second": "user"}}


def test_relations_of_other_kinds_are_not_read() -> None:
    """A relation that the kind does not carry, and an absent or null list, give no edge."""
    (change,) = changes(USER, [{"id": "u", "members@delta": members("a"), "manager@delta": None}])
    assert not any(change.linked.values())


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ({"@odata.type": "#microsoft.graph.user"}, "user"),
        ({"@odata.type": "#microsoft.graph.orgContact"}, "orgContact"),
        ({"@odata.type": "device"}, "device"),
        ({"@odata.type": 7}, None),
        ({}, None),
    ],
)
def test_kind_of_a_reference_is_read_from_its_type(item: Item, kind: str | None) -> None:
    """The last part of @odata.type names the kind; without one it is unknown."""
    assert kind_of(item) == kind


TIMES = [
    ("2026-11-23T04:05:06Z", "2026-11-23T04:05:06.000Z"),
    ("2026-11-23T04:05:06.1Z", "2026-11-23T04:05:06.100Z"),
    ("2026-11-23T04:05:06.12Z", "2026-11-23T04:05:06.120Z"),
    ("2026-11-23T04:05:06.123Z", "2026-11-23T04:05:06.123Z"),
    ("2026-11-23T04:05:06.1239Z", "2026-11-23T04:05:06.123Z"),
    ("2026-11-23T04:05:06.12399Z", "2026-11-23T04:05:06.123Z"),
    ("2026-11-23T04:05:06.123999Z", "2026-11-23T04:05:06.123Z"),
    ("2026-11-23T04:05:06.1239999Z", "2026-11-23T04:05:06.123Z"),
    ("2026-11-23T04:05:06+02:00", "2026-11-23T02:05:06.000Z"),
    ("2026-11-23T04:05:06", "2026-11-23T04:05:06.000Z"),
    ("2026-11-23", "2026-11-23T00:00:00.000Z"),
    ("0001-01-01T00:00:00Z", None),
    ("0001-01-01T00:00:00.0000000Z", None),
    ("", None),
    ("yesterday", None),
    ("2026-13-45T99:99:99Z", None),
    ("2026-02-30T04:05:06+00:00", None),
    ("2026-02-30T04:05:06.123Z", None),
    ("٢٠٢٦-11-23T04:05:06Z", None),
    ("9999-12-31T23:59:59+00:00", "9999-12-31T23:59:59.000Z"),
    ("9999-12-31T23:59:59-14:00", None),
    (1_700_000_000, None),
    (None, None),
    (["2026-11-23T04:05:06Z"], None),
]


@pytest.mark.parametrize(("value", "stored"), TIMES, ids=str)
def test_time_is_stored_at_one_width_or_not_at_all(value: object, stored: str | None) -> None:
    """Every form Graph sends becomes 24 characters in UTC; never and nonsense become null, not an error."""
    assert read_time(value) == stored


ANY_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@given(data=st.data())
def test_item_maps_whatever_types_its_properties_have(kind: Kind, data: st.DataObject) -> None:
    """No type surprise fails a page: each column gets a value of its own type, or null."""
    prop, column = data.draw(st.sampled_from(list(graph_columns(kind.table))))
    value = columns(kind, {prop: data.draw(ANY_VALUE)})[column.name]
    if column.type.python_type in (str, bool, int):
        assert value is None or type(value) is column.type.python_type


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_absent_property_becomes_null(kind: Kind) -> None:
    """On a default round what Graph leaves out has no value."""
    row = columns(kind, {"id": "x"})
    assert {row[column.name] for _, column in graph_columns(kind.table)} == {None}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_value_is_stored_or_null_and_named_when_it_is_of_any_type(kind: Kind) -> None:
    """Every column takes what its type can hold; everything else is null and told, never turned into something else."""
    for prop, column in graph_columns(kind.table):
        for name, value in ANY_TYPE.items():
            unfit: list[str] = []
            stored = columns(kind, {prop: value}, unfit)[column.name]
            fitting = fits(column, value)
            expected = value.lower() if fitting and column.info.get(LOWER) else value if fitting else None
            assert (stored, unfit) == (expected, [] if fitting else [prop]), (prop, name)


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00Z", None], ids=str)
def test_time_that_means_never_is_null_and_no_fault(value: str | None) -> None:
    """Graph says never in two ways, and both fit."""
    unfit: list[str] = []
    assert columns(USER, {"createdDateTime": value}, unfit)["created_date_time"] is None
    assert unfit == []


@pytest.mark.parametrize("targets", [5, "a", {"id": "a"}, [5], [{}], [{"id": None}], [{"id": ""}]], ids=str)
def test_relation_without_ids_is_refused(targets: object) -> None:
    """An edge that cannot be read fails the page with a typed error: leaving it out would be silent loss."""
    with pytest.raises(BadResponse):
        changes(GROUP, [{"id": "g", "members@delta": targets}])


@pytest.mark.parametrize(
    ("item", "kind", "is_dynamic"),
    [
        ({"groupTypes": ["Unified"], "mailEnabled": True}, "MICROSOFT_365", False),
        ({"groupTypes": ["Unified", "DynamicMembership"], "mailEnabled": True}, "MICROSOFT_365", True),
        ({"groupTypes": ["DynamicMembership"], "securityEnabled": True}, "SECURITY", True),
        ({"groupTypes": [], "mailEnabled": True, "securityEnabled": True}, "MAIL_ENABLED_SECURITY", False),
        ({"groupTypes": [], "mailEnabled": True, "securityEnabled": False}, "DISTRIBUTION", False),
        ({"groupTypes": [], "mailEnabled": False, "securityEnabled": True}, "SECURITY", False),
        ({}, "SECURITY", False),
        ({"groupTypes": None}, "SECURITY", False),
    ],
    ids=str,
)
def test_group_kind_is_what_its_properties_say(item: Item, kind: str, is_dynamic: bool) -> None:
    """The four kinds of the admin center, and whether a rule decides the members."""
    row = columns(GROUP, item)
    assert (row["kind"], row["is_dynamic"]) == (kind, is_dynamic)


@pytest.mark.parametrize("value", [5, "Unified", {"Unified": 1}, ["Unified", None]], ids=str)
def test_kind_of_a_group_is_made_from_what_its_columns_show(value: object) -> None:
    """What is null there makes no Microsoft 365 group, and a text no address of mail."""
    assert columns(GROUP, {"groupTypes": value, "mailEnabled": "false", "visibility": 1}) == columns(GROUP, {})


def test_hidden_membership_is_told_apart_from_no_members() -> None:
    """A group that hides its members says so, because no members would be a lie."""
    assert columns(GROUP, {"visibility": "HiddenMembership"})["membership_known"] is False
    assert columns(GROUP, {"visibility": "Private"})["membership_known"] is True


def test_attributes_leave_annotations_out() -> None:
    """What is stored and hashed is the object, not its edges or context."""
    item = {"id": "g", "displayName": "G", "members@delta": members("a"), "@odata.type": "x", "a@odata.b": 1}
    assert attributes(item) == {"id": "g", "displayName": "G"}


def test_content_hash_is_the_same_whatever_the_order_of_properties() -> None:
    """Only values count; another value, another property and another kind give another hash."""
    one, other = {"id": "x", "displayName": "A"}, {"displayName": "A", "id": "x"}
    assert hashed(USER, one) == hashed(USER, other)
    hashes = [
        hashed(USER, one),
        hashed(USER, one | {"displayName": "B"}),
        hashed(USER, one | {"city": None}),
        hashed(GROUP, one),
    ]
    assert len(set(hashes)) == len(hashes)
