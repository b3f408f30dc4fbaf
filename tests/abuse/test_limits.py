"""Each limit of a document holds exactly: what lies at it runs, one more is refused by name, limit and number."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from graphql import get_introspection_query

from schema import build_schema
from schema.limit.expected import described
from schema.limit.limits import Limits, bounds
from tests.abuse.bombs import chain
from tests.abuse.conftest import Front

LIMITS = Limits()


def many(part: str, number: int) -> str:
    """Return a query with numbered parts."""
    return "{ " + " ".join(part.replace("#", str(n)) for n in range(number)) + " }"


def pad(characters: int) -> str:
    """Return a query of so many characters."""
    return "{ __typename" + " " * (characters - 13) + "}"


def deep(levels: int) -> str:
    """Return a query of so many fields inside each other, `nodes` not counted."""
    inner = "manager { " * (levels - 2) + "id" + " }" * (levels - 2)
    return f"{{ users(first: 1) {{ nodes {{ {inner} }} }} }}"


def introspected(levels: int) -> str:
    """Return a query of so many fields inside each other below `__schema`, which counts as one."""
    inner = "ofType { " * (levels - 5) + "name" + " }" * (levels - 5)
    return f"{{ __schema {{ queryType {{ fields {{ type {{ {inner} }} }} }} }} }}"


def wide(number: int) -> str:
    """Return a query of so many fields: 20 lists with two fields each and what lies in their nodes."""
    count, rest = divmod(number - 20 * 2, 20)
    lists = [f"a{n}: users {{ nodes {{ {_under(count + (n < rest))} }} }}" for n in range(20)]
    return "{ " + " ".join(lists) + " }"


def _under(number: int) -> str:
    """Return that many fields, at most 20 of which have the same path."""
    return " ".join(("id", "city", "email")[n % 3] for n in range(number))


def aliased(number: int) -> str:
    """Return a query with so many aliases, one of them at the root."""
    return "{ a: viewer { " + " ".join(f"n{n}: name" for n in range(number - 1)) + " } }"


def directed(number: int) -> str:
    """Return a query with so many directives; one that is not repeatable stands once in a place."""
    return "{ viewer { " + " ".join(f"n{n}: name @include(if: true)" for n in range(number)) + " } }"


def tokens(number: int) -> str:
    """Return a query of so many tokens, most of them in two lists of values."""
    values = ['"a"'] * (number - 24)
    city = f"{{ in: [{' '.join(values[::2])}] notIn: [{' '.join(values[1::2])}] }}"
    return f"{{ users(where: {{ city: {city} }}) {{ totalCount }} }}"


def told(number: int) -> str:
    """Return a query that tells of so many parts of the schema: lists of all types, and single ones."""
    sizes = described(build_schema()._schema)
    types, fields = sizes.length("__Schema", "types"), sizes.length("__Type", "fields")
    each = types * (1 + fields * (1 + sizes.length("__Field", "args")))
    lists, rest = divmod(number - 1, each)
    flat, rest = divmod(rest, types)
    chains, rest = divmod(rest, 12)
    parts = [f"a{n}: types {{ fields {{ args {{ name }} }} }}" for n in range(lists)]
    parts += [f"b{n}: types {{ name }}" for n in range(flat)]
    parts += [f"c{n}: queryType {{ {chain_of_types(11)} }}" for n in range(chains)]
    parts += [f"d: queryType {{ {chain_of_types(rest - 1)} }}"] if rest else []
    return f"{{ __schema {{ {' '.join(parts)} }} }}"


def chain_of_types(length: int) -> str:
    """Return a selection of so many types, each inside the other."""
    return "ofType { " * length + "name" + " }" * length


CASES: dict[str, Callable[[int], str]] = {
    "chars": pad,
    "tokens": tokens,
    "operations": lambda number: " ".join(f"query Q{n} {{ __typename }}" for n in range(number)),
    "aliases": aliased,
    "directives": directed,
    "depth": deep,
    "introspection_depth": introspected,
    "nesting": lambda number: chain(number - 2),
    "fields": wide,
    "root_fields": lambda number: many("a#: __typename", number),
    "repeats": lambda number: "{ " + "viewer { name } " * number + "}",
    "introspection_cost": told,
    "cost": lambda number: (
        f"{{ users(first: {number // 20}) {{ nodes {{ groups(first: 19) {{ nodes {{ id }} }} }} }} "
        + (f"sites(first: {number % 20}) {{ nodes {{ id }} }} }}" if number % 20 else "}")
    ),
}


def problem_of(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of the first error; empty when there is none."""
    facts: dict[str, Any] = answer["errors"][0]["extensions"] if "errors" in answer else {}
    return facts


@pytest.mark.slow(cases=5)
@pytest.mark.parametrize("which", CASES)
async def test_document_runs_at_a_limit(front: Front, which: str) -> None:
    """What lies exactly at the limit is not refused for it; only an operation name may be missing."""
    facts = problem_of(await front.ask(CASES[which](getattr(LIMITS, which))))
    assert facts.get("code") != "LIMIT_EXCEEDED"
    assert facts == {} or which == "operations"


@pytest.mark.parametrize("which", CASES)
async def test_document_is_refused_beyond_a_limit(front: Front, which: str) -> None:
    """One more is LIMIT_EXCEEDED, with the limit's public name, its value and the actual number; nothing runs."""
    limit = getattr(LIMITS, which)
    answer = await front.ask(CASES[which](limit + 1))
    facts = problem_of(answer)
    assert "data" not in answer
    assert (facts["code"], facts["limit"], facts["actual"]) == ("LIMIT_EXCEEDED", limit, limit + 1)
    assert facts["which"] in {bound.name for bound in bounds(LIMITS) if bound.attribute == which}


def test_cases_cover_every_limit() -> None:
    """A limit that is added gets its case here."""
    assert set(CASES) == {field.name for field in dataclasses.fields(Limits)}


async def test_fragment_counts_as_often_as_it_is_spread(front: Front) -> None:
    """Fields are counted after expansion, and through however many fragments."""
    fragment = "fragment F on User { " + " ".join(f"a{n}: id" for n in range(60)) + " }"
    lists = [f"b{n}: users {{ nodes {{ ...F }} }}" for n in range(17)]
    assert problem_of(await front.ask("{ " + " ".join(lists[:16]) + " } " + fragment)) == {}
    facts = problem_of(await front.ask("{ " + " ".join(lists) + " } " + fragment))
    assert (facts["which"], facts["actual"]) == ("fields", 17 * 62)


async def test_limit_tells_a_number_that_json_can_hold_when_fragments_double(front: Front) -> None:
    """2^98 is told as the greatest whole number that every reader keeps."""
    double = "\n".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(38))
    facts = problem_of(
        await front.ask("{ ...F0 } " + double + " fragment F38 on Query { a: __typename b: __typename c: __typename } ")
    )
    assert (facts["which"], facts["actual"]) == ("fields", 3 * 2**38)


@pytest.mark.parametrize(
    ("arguments", "variables", "rows"),
    [
        ("", {}, 50),
        ("first: $a", {"a": 300}, 300),
        ("first: $a", {}, 50),
        ("first: $a", {"a": None}, 50),
        ("last: $a", {"a": 300}, 300),
        ("first: $b", {}, 450),
        ("first: $b", {"b": 7}, 7),
        ("first: $a, last: $b", {}, 450),
        ("first: $a, last: 900", {}, 900),
    ],
)
async def test_cost_reads_the_variables_of_each_request(
    front: Front, arguments: str, variables: dict[str, Any], rows: int
) -> None:
    """The length of a list is read from literals, variables, their defaults and the default of the list."""
    inner = f"users({arguments}) {{ nodes {{ id }} }}" if arguments else "users { nodes { id } }"
    used = "users(first: $a, last: $b) { totalCount }"
    document = f"query($a: Int, $b: Int = 450) {{ groups(first: 1000) {{ nodes {{ {inner} }} }} {used} }}"
    facts = problem_of(await front.ask(document, variables))
    expected = 1_000 + 1_000 * rows + 1
    assert facts.get("actual", 0) == (expected if expected > LIMITS.cost else 0)


async def test_cost_of_a_list_is_one_when_only_its_count_is_asked(front: Front) -> None:
    """Counting the reports of 1,000 users is cheap, and allowed."""
    cheap = "{ users(first: 1000) { nodes { directReports { totalCount } } } }"
    assert problem_of(await front.ask(cheap)) == {}
    dear = cheap.replace("totalCount", "totalCount ...F") + " fragment F on UserConnection { nodes { id } }"
    assert problem_of(await front.ask(dear))["actual"] == 1_000 + 1_000 * 50


@pytest.mark.parametrize("descriptions", [True, False])
async def test_introspection_of_graphiql_is_answered(front: Front, descriptions: bool) -> None:
    """The query that GraphiQL sends to learn the schema keeps every limit, with all of its options."""
    options = dict.fromkeys(("specified_by_url", "directive_is_repeatable", "schema_description"), True)
    document = get_introspection_query(descriptions, input_value_deprecation=True, **options)
    assert "errors" not in await front.ask(document)


async def test_introspection_is_answered_from_the_cache_the_second_time(front: Front) -> None:
    """The schema does not change: the same question about it is executed once, also with variables."""
    document = "query($n: String!) { __type(name: $n) { name } }"
    cache = front.execution._introspection
    answers = [await front.ask(document, {"n": name}) for name in ("User", "Group", "User")]
    assert [answer["data"]["__type"]["name"] for answer in answers] == ["User", "Group", "User"]
    assert len(cache) == 2
    await front.ask("{ __schema { queryType { name } } viewer { name } }")
    await front.ask("{ __type(name: 1) { name } }")
    assert len(cache) == 2
    for number in range(60):
        await front.ask(document, {"n": f"Nothing{number}"})
    assert len(cache) == 32
