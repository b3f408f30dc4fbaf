"""Documents and variables made by chance: each is answered, or refused with the code of what is wrong with it."""

from __future__ import annotations

import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.abuse.conftest import Front
from tests.abuse.documents import documents
from tests.share import share

REFUSALS = {
    "LIMIT_EXCEEDED", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT", "BAD_CURSOR", "BAD_SEARCH",
    "FORBIDDEN", "TIMEOUT",
}  # fmt: skip
CHARACTERS = string.printable + "\0\ufeff\u2028é"
NAMES = (
    "and",
    "or",
    "not",
    "name",
    "names",
    "alive",
    "lastSeen",
    "owners",
    "azureAd",
    "site",
    "id",
    "osVersion",
    "nope",
)
OPERATORS = (
    "eq",
    "ne",
    "in",
    "contains",
    "isNull",
    "lt",
    "newerThan",
    "has",
    "hasAny",
    "some",
    "count",
    "exists",
    "id",
)
MUTILATIONS = st.lists(st.tuples(st.integers(0, 400), st.sampled_from(CHARACTERS)), min_size=1, max_size=3)
VARIABLES = st.dictionaries(st.just("v"), st.none() | st.integers(-2, 2**40) | st.text(max_size=3) | st.booleans())
unlimited = settings(max_examples=share(12, 300, 10_000), suppress_health_check=list(HealthCheck))


async def check(front: Front, document: str, variables: dict[str, object]) -> None:
    """Send a document; nothing but data and the caller's own mistakes may come back."""
    answer = await front.ask(document, variables)
    codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
    assert codes <= REFUSALS, answer["errors"]
    assert codes or "data" in answer


@pytest.mark.slow
@given(document=documents(), variables=VARIABLES)
@unlimited
async def test_document_is_never_an_internal_error_when_made_from_the_schema(
    front: Front, document: str, variables: dict[str, object]
) -> None:
    """Documents by chance, most of them valid."""
    await check(front, document, variables)


@pytest.mark.slow
@given(document=documents(), variables=VARIABLES, mutilations=MUTILATIONS)
@unlimited
async def test_document_is_never_an_internal_error_when_mutilated(
    front: Front, document: str, variables: dict[str, object], mutilations: list[tuple[int, str]]
) -> None:
    """More of them, with a few characters replaced."""
    for place, character in mutilations:
        place = place % len(document)
        document = document[:place] + character + document[place + 1 :]
    await check(front, document, variables)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)
WHERE = st.dictionaries(
    st.sampled_from(NAMES),
    ANYTHING | st.dictionaries(st.sampled_from(OPERATORS), ANYTHING, max_size=2),
    min_size=1,
    max_size=3,
)
FUZZED = """
query($where: AssetWhere, $search: String, $orderBy: [AssetOrder!], $after: String, $first: Int, $ids: [ID!]!) {
  assets(where: $where, search: $search, orderBy: $orderBy, after: $after, first: $first) { nodes { id } }
  nodes(ids: $ids) { id }
}"""


@pytest.mark.slow
@given(where=WHERE, search=st.text(max_size=12), orders=ANYTHING, after=ANYTHING, first=ANYTHING, ids=ANYTHING)
@settings(max_examples=share(20, 150, 400), suppress_health_check=list(HealthCheck))
async def test_variables_are_never_an_internal_error_whatever_they_are(
    front: Front, where: object, search: str, orders: object, after: object, first: object, ids: object
) -> None:
    """Sets by the hundred: filters of the right names and any values, and anything where texts and numbers belong."""
    await check(front, FUZZED, {"where": where, "ids": []})
    await check(front, FUZZED, {"search": search, "first": 3, "ids": ids})
    await check(front, FUZZED, {"orderBy": orders, "after": after, "first": first, "ids": ["asset_1"]})
