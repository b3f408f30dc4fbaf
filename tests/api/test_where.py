"""Filters: every operator of every field, and any tree of them, returns what a plain Python predicate returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, get_named_type
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.field.registry import NOUNS, Field, FieldKind
from schema.filter.check import TEXT_CHARS_MAX
from schema.filter.inputs import CONDITIONS_MAX, NESTING_MAX
from schema.filter.operators import LIST_VALUES_MAX
from tests.api.lists import FILTERABLE, LISTS, SCHEMA, caller_for, id_of, value_of, visible
from tests.api.predicate import Where, matches
from tests.api.rows import NUMBERS, TEXTS, TIMES
from tests.api.world import Row, World
from tests.share import share

# Parts of words, wildcards of LIKE, its escape, letters that fold to others or to several, and what no row holds.
PROBES = (*TEXTS, "a", "%%", "__", "_b", "\\b", "SS", "ß", "ﬁ", "ÄPFEL", "i̇", "İ", "k", "Σ", "ς", "nothing", "'", ";--")
MANY = {"in", "notIn", "hasAny", "hasAll", "inNetwork"}
FLAGS = {"isNull", "isEmpty"}
DURATIONS = ("0s", "12h", "P30D", "1y", "300 days", "1000y")
NETWORKS = ("10.0.0.0/8", "192.168.0.0/16", "10.1.2.3", "::/0", "2001:db8::/32", "0.0.0.0/0")


SPANS = {"olderThan", "newerThan"}
VERSIONS = {"lt", "lte", "gt", "gte"}
LISTS_OF_TEXT = {FieldKind.LIST, FieldKind.ADDRESSES}


def operators(noun: str, field: Field) -> list[str]:
    """Return the operators that the schema offers for a field."""
    where = SCHEMA.type_map[f"{noun}Where"]
    assert isinstance(where, GraphQLInputObjectType)
    return list(get_named_type(where.fields[field.graphql_name].type).fields)


def candidates(noun: str, field: Field, rows: Sequence[Row]) -> list[Any]:
    """Return values to compare a field with: stored ones, near ones and absent ones."""
    stored = [value for row in rows if (value := value_of(field, row)) is not None]
    if field.kind is FieldKind.ID:
        return [id_of(noun, row) for row in rows[:20]] + [f"{NOUNS[noun].prefix}_999999999"]
    if field.kind is FieldKind.BOOL:
        return [True, False]
    if field.kind is FieldKind.ENUM:
        assert field.enum is not None
        return [member.value for member in field.enum]
    if field.kind is FieldKind.INT:
        return [*NUMBERS, -1, 2**31 - 1]
    if field.kind is FieldKind.TIME:
        return [*stored[:20], *TIMES, "2026-01-01T00:00:00.000Z"]
    texts = [text for value in stored for text in (value if field.kind in LISTS_OF_TEXT else [value])]
    if field.kind is FieldKind.VERSION:
        texts += ["10", "10.0.19045", "2.53", "10.00"]
    return [*PROBES, *(texts[n] for n in range(0, len(texts), 1 + len(texts) // 20))]


def variants(value: Any, seed: int) -> Any:
    """Cut and recase a text, so that parts and other letter cases are asked for too."""
    if not isinstance(value, str) or not value:
        return value
    start = seed % len(value)
    return [value, value[start:], value[: start + 1], value.swapcase(), value.upper(), value[start : start + 3]][
        seed % 6
    ]


async def assert_filters(world: World, noun: str, where: Where, rows: Sequence[Row], organization: int) -> None:
    """Ask for a filter's rows and compare with the predicate."""
    text = "query($where: %sWhere) { %s(first: 1000, where: $where) { nodes { id } } }"
    got = await caller_for(world, noun, organization).data(text % (noun, LISTS[noun]), where=where)
    expected = [id_of(noun, row) for row in rows if matches(NOUNS[noun], where, row)]
    assert [node["id"] for node in got[LISTS[noun]]["nodes"]] == expected, where


@pytest.mark.slow(cases=(14, 50))
@pytest.mark.parametrize(("noun", "name"), FILTERABLE)
async def test_filter_returns_what_the_predicate_returns_for_every_operator(world: World, noun: str, name: str) -> None:
    """Each operator of each field, with stored, near and absent values, alone and on lists of them."""
    field = NOUNS[noun].fields[name]
    rows = await visible(world, noun, caller_for(world, noun, world.beta))
    pool = candidates(noun, field, rows)
    for number, operator in enumerate(operators(noun, field)):
        values: list[Any] = [variants(pool[(number * 7 + n) % len(pool)], n) for n in range(2)]
        if field.kind in (FieldKind.ID, FieldKind.ENUM, FieldKind.TIME):
            values = [pool[(number + n) % len(pool)] for n in range(2)]
        if operator in FLAGS:
            values = [True, False]
        elif operator in SPANS:
            values = list(DURATIONS)
        elif operator in VERSIONS and field.kind is FieldKind.VERSION:
            values = ["10", "9.0", "1", "0"]
        elif operator == "inNetwork":
            values = [list(NETWORKS[:2]), list(NETWORKS[2:3]), list(NETWORKS[3:4]), []]
        elif operator in MANY:
            values = [values, []]
        for value in values:
            await assert_filters(world, noun, {field.graphql_name: {operator: value}}, rows, world.beta)


# A tree of choices; what they mean for a noun is settled when its rows are known.
Choice = st.tuples(st.integers(0, 10_000), st.integers(0, 100), st.integers(0, 10_000), st.integers(0, 50))
Tree = st.recursive(
    Choice,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, max_size=4)),
        st.tuples(st.just("not"), inner),
        st.tuples(st.just("together"), st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=8,
)


def grown(noun: str, rows: Sequence[Row], tree: Any) -> Where:
    """Turn a tree of choices into a `where`."""
    if tree[0] in ("and", "or"):
        return {tree[0]: [grown(noun, rows, part) for part in tree[1]]}
    if tree[0] == "not":
        return {"not": grown(noun, rows, tree[1])}
    if tree[0] == "together":
        return {name: value for part in tree[1] for name, value in grown(noun, rows, part).items()}
    which, operator_number, value_number, seed = tree
    fields = [field for field in NOUNS[noun].fields.values() if field.is_filterable]
    field = fields[which % len(fields)]
    offered = operators(noun, field)
    operator = offered[operator_number % len(offered)]
    return {field.graphql_name: {operator: _value(noun, field, operator, rows, value_number, seed)}}


def _value(noun: str, field: Field, operator: str, rows: Sequence[Row], number: int, seed: int) -> Any:
    pool = candidates(noun, field, rows)
    if operator in FLAGS:
        return bool(number % 2)
    if operator in SPANS:
        return DURATIONS[number % len(DURATIONS)]
    if operator == "inNetwork":
        return [NETWORKS[(number + n) % len(NETWORKS)] for n in range(seed % 3)]
    if operator in VERSIONS and field.kind is FieldKind.VERSION:
        return ("10", "9.0", "1", "10.0.19045")[number % 4]
    free = field.kind in (FieldKind.TEXT, FieldKind.VERSION, FieldKind.LIST, FieldKind.ADDRESSES)
    chosen = [pool[(number + 31 * n) % len(pool)] for n in range(1 + seed % 4)]
    chosen = [variants(value, seed) if free else value for value in chosen]
    return chosen if operator in MANY else chosen[0]


@pytest.mark.slow
@pytest.mark.parametrize("place", ["home", "beta"])
@pytest.mark.parametrize("noun", ["User", "Group", "Asset", "Task", "TaskRun", "Credential"])
@given(tree=Tree)
@settings(max_examples=share(5, 20, 85))
async def test_filter_returns_what_the_predicate_returns_for_any_tree(
    world: World, noun: str, place: str, tree: Any
) -> None:
    """Any nesting of and, or, not and conditions, over synced rows and over awkward ones."""
    organization: int = getattr(world, place)
    rows = await visible(world, noun, caller_for(world, noun, organization))
    await assert_filters(world, noun, grown(noun, rows, tree), rows, organization)


@pytest.mark.parametrize(
    ("where", "everything"),
    [({"and": []}, True), ({"or": []}, False), ({"not": {"or": []}}, True), ({"not": {"and": []}}, False)],
)
async def test_filter_without_parts_is_everything_or_nothing(world: World, where: Where, everything: bool) -> None:
    """An empty `and` asks for all rows, an empty `or` for none."""
    rows = await visible(world, "User", world.caller())
    data = await world.caller().data("query($w: UserWhere) { users(where: $w) { totalCount } }", w=where)
    assert data["users"]["totalCount"] == (len(rows) if everything else 0)


def nested(levels: int) -> Mapping[str, Any]:
    """Return a filter of so many levels."""
    where: dict[str, Any] = {"city": {"contains": "x"}}
    for _ in range(levels - 1):
        where = {"not": where}
    return where


REFUSED: list[tuple[Any, str]] = [
    ({}, "where"),
    ({"displayName": None}, "where.displayName"),
    ({"displayName": {}}, "where.displayName"),
    ({"displayName": {"eq": None}}, "where.displayName.eq"),
    ({"displayName": {"in": None}}, "where.displayName.in"),
    ({"displayName": {"isNull": None}}, "where.displayName.isNull"),
    ({"userPrincipalName": {"contains": "a" * (TEXT_CHARS_MAX + 1)}}, "where.userPrincipalName.contains"),
    ({"displayName": {"contains": "a\0b"}}, "where.displayName.contains"),
    ({"displayName": {"in": ["a", "\ud800"]}}, "where.displayName.in"),
    ({"businessPhones": {"hasAny": ["x"] * (LIST_VALUES_MAX + 1)}}, "where.businessPhones.hasAny"),
    ({"city": {"in": ["x"] * (LIST_VALUES_MAX + 1)}}, "where.city.in"),
    ({"and": None}, "where.and"),
    ({"or": None}, "where.or"),
    ({"not": None}, "where.not"),
    ({"not": {}}, "where.not"),
    ({"and": [{"city": {"eq": "x"}}, {}]}, "where.and[1]"),
    ({"or": [{"not": {"accountEnabled": {"ne": None}}}]}, "where.or[0].not.accountEnabled.ne"),
    ({"id": {"eq": "group_1"}}, "where.id.eq"),
    ({"id": {"in": ["user_1", "1"]}}, "where.id.in"),
    ({"id": {"ne": ""}}, "where.id.ne"),
    ({"id": {"notIn": ["user_0"]}}, "where.id.notIn"),
    ({"id": {"eq": "user_1 "}}, "where.id.eq"),
    ({"id": {"eq": "user_" + "9" * 30}}, "where.id.eq"),
    ({"or": [{"city": {"eq": "x"}}] * CONDITIONS_MAX}, "where"),
    (nested(NESTING_MAX + 1), "where" + ".not" * NESTING_MAX),
    (nested(90), "where" + ".not" * NESTING_MAX),
]


@pytest.mark.parametrize(("where", "place"), REFUSED, ids=[place for _, place in REFUSED])
async def test_filter_is_refused_when_it_says_nothing_or_too_much(world: World, where: Any, place: str) -> None:
    """Explicit null, an empty object, too much of anything and ids of another kind: BAD_USER_INPUT with its path."""
    answer = await world.caller().ask("query($w: UserWhere) { users(where: $w) { totalCount } }", w=where)
    assert answer.code == "BAD_USER_INPUT"
    assert answer.problems[0].facts["path"] == place
    assert place in answer.problems[0].message or "id of a User" in answer.problems[0].message


@pytest.mark.slow(cases=3)
@pytest.mark.parametrize(
    "where",
    [
        {"city": {"in": ["x"] * LIST_VALUES_MAX}},
        {"city": {"notIn": [str(n) for n in range(LIST_VALUES_MAX)]}},
        {"businessPhones": {"hasAny": [str(n) for n in range(LIST_VALUES_MAX)]}},
        {"businessPhones": {"hasAll": [str(n) for n in range(LIST_VALUES_MAX)]}},
        {"city": {"contains": "%" * TEXT_CHARS_MAX}},
        {"and": [{"city": {"contains": "x"}}] * (CONDITIONS_MAX - 1)},
        {"or": [{"businessPhones": {"has": "x"}}] * (CONDITIONS_MAX - 1)},
        nested(NESTING_MAX),
    ],
    ids=["in", "notIn", "hasAny", "hasAll", "contains", "and", "or", "not"],
)
async def test_filter_is_answered_at_its_limits(world: World, where: Where) -> None:
    """What is allowed is carried out: the database has no narrower limit of its own."""
    rows = await visible(world, "User", world.caller())
    await assert_filters(world, "User", where, rows, world.home)


@pytest.mark.parametrize(
    "value",
    ["yesterday", "2026-13-01", "2026-11-23T04:05:06", "", "0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-05:00"],
)
async def test_time_is_refused_when_it_is_no_moment(world: World, value: str) -> None:
    """A time without zone, out of the calendar or out of range is refused before anything runs."""
    by_variable = "query($t: DateTime) { users(where: {createdAt: {gt: $t}}) { totalCount } }"
    assert (await world.caller().ask(by_variable, t=value)).code == "BAD_USER_INPUT"
    literal = f'{{ users(where: {{createdAt: {{gt: "{value}"}}}}) {{ totalCount }} }}'
    answer = await world.caller().ask(literal)
    assert answer.data is None
    assert {problem.code for problem in answer.problems} == {"BAD_USER_INPUT"}


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("2026-11-23", "2026-11-23T00:00:00.000Z"),
        ("2026-11-23T04:05:06.123Z", "2026-11-23T04:05:06.123Z"),
        ("2026-11-23T05:05:06.123+01:00", "2026-11-23T04:05:06.123Z"),
        ("2026-11-23T04:05:06.123999Z", "2026-11-23T04:05:06.124Z"),
        ("0999-12-31T23:59:59.999Z", "0999-12-31T23:59:59.999Z"),
        ("0001-01-01", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"),
    ],
)
async def test_time_is_compared_in_utc_when_it_has_an_offset(world: World, value: str, stored: str) -> None:
    """Any RFC 3339 time means its moment in UTC, whatever its year; a bare date means midnight."""
    caller = world.caller(organization=world.beta)
    rows = await visible(world, "Asset", caller)
    text = "query($t: DateTime) { assets(first: 1000, where: {lastSeen: {gte: $t}}) { nodes { id } } }"
    got = [node["id"] for node in (await caller.data(text, t=value))["assets"]["nodes"]]
    assert got == [id_of("Asset", row) for row in rows if row["last_seen"] is not None and row["last_seen"] >= stored]
