"""No error repeats what was sent: each mutation, with a secret in each of its texts and every kind of mistake.

The inputs are made from the schema, so that a mutation or a field that is new is tried as well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import httpx
import orjson
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    get_named_type,
    get_nullable_type,
    is_list_type,
    is_scalar_type,
)

from schema.access import Role
from server.settings import read_settings
from tests.api.lists import SCHEMA
from tests.api.world import World
from tests.canary import canary_secret, watch
from tests.server.http.test_limits import ask, served

SECRET = canary_secret("sent-where-it-does-not-belong")
# The same without characters that no name of GraphQL has: it may be taken for one.
NAME = SECRET.replace("-", "_").replace("~", "_")
# What a secret may be part of, in a document.
SPOKEN = SECRET.partition("~")[2]
CREATE_TOKEN = "mutation($input: CreateTokenInput!) { createToken(input: $input) { text } }"
Place = tuple[str | int, ...]
MUTATIONS = list(SCHEMA.mutation_type.fields) if SCHEMA.mutation_type else []
# A scalar that is no text → a value of it.
VALUES: dict[str, Any] = {
    "Int": 1,
    "Boolean": True,
    "DateTime": "2026-11-23T04:05:06Z",
    "Duration": "1d",
    "BigInt": 1,
    "Float": 1.5,
    "JSON": {},
}


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an installation to a viewer: documents and variables are judged, and nothing is carried out."""
    async with served(tmp_path_factory.mktemp("repeated"), read_settings({})) as opened:
        given = {"name": "reader", "role": "VIEWER"}
        made = await ask(opened, CREATE_TOKEN, input=given)
        opened.headers["Authorization"] = f"Bearer {watch(made.json()['data']['createToken']['text'])}"
        yield opened


def value_of(type_: GraphQLInputType, above: tuple[str, ...] = ()) -> Any:
    """Return a value of a type with everything in it that the type may hold, a secret in each text."""
    bare = get_nullable_type(type_)
    if is_list_type(bare):
        return [value_of(bare.of_type, above)]
    if get_named_type(bare).name.endswith("Where"):
        # Filters lead to each other without end.
        return {"id": {"eq": SECRET}}
    if isinstance(bare, GraphQLEnumType):
        return next(iter(bare.values))
    if isinstance(bare, GraphQLInputObjectType):
        fields = {
            name: value_of(field.type, (*above, bare.name))
            for name, field in bare.fields.items()
            if get_named_type(field.type).name not in above
        }
        return dict(list(fields.items())[-1:]) if bare.is_one_of else fields
    assert is_scalar_type(bare)
    return VALUES.get(bare.name, SECRET)


def inputs(mutation: str) -> Mapping[str, GraphQLInputType]:
    """Return the arguments of a mutation."""
    assert SCHEMA.mutation_type
    return {name: argument.type for name, argument in SCHEMA.mutation_type.fields[mutation].args.items()}


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Yield the place of everything inside a value."""
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*place, key)
        yield from places(part, (*place, key))


def put(value: Any, place: Place, part: Any) -> Any:
    """Return a value with another part at a place; None takes it out."""
    changed = deepcopy(value)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    if part is None:
        del inner[place[-1]]
    else:
        inner[place[-1]] = part
    return changed


def part_at(value: Any, place: Place) -> Any:
    """Return what is at a place of a value."""
    for key in place:
        value = value[key]
    return value


def mistaken(value: Any) -> Iterator[Any]:
    """Yield a value with every kind of mistake, in every place: wrong types, unknown fields, fields left out."""
    for place in places(value):
        part = part_at(value, place)
        yield put(value, place, None)
        for wrong in (SECRET, {"name": {"clientSecret": SECRET}}, 4711.5):
            if type(wrong) is not type(part) or isinstance(part, dict | list):
                yield put(value, place, wrong)
        if isinstance(part, dict):
            for unknown in ("clientSecrets", f"a' {SECRET}"):
                yield put(value, place, part | {unknown: SECRET})


def literal(value: Any) -> str:
    """Write a value as a literal; a text that looks like the name of an enum's value is one."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {literal(part)}' for name, part in value.items() if name.isidentifier())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, str) and value.isupper():
        return value
    return orjson.dumps(value).decode()


def with_literals(mutation: str, value: Mapping[str, Any]) -> str:
    """Write a mutation with its arguments as literals."""
    arguments = ", ".join(f"{name}: {literal(part)}" for name, part in value.items())
    return f"mutation {{ {mutation}({arguments}) {{ __typename }} }}"


def with_variables(mutation: str) -> str:
    """Write a mutation whose arguments are variables of the same names."""
    declared = ", ".join(f"${name}: {type_}" for name, type_ in inputs(mutation).items())
    given = ", ".join(f"{name}: ${name}" for name in inputs(mutation))
    return f"mutation({declared}) {{ {mutation}({given}) {{ __typename }} }}"


BROKEN: dict[str, Callable[[str], str]] = {
    "the end is missing": lambda text: text[:-1],
    "a quote is missing": lambda text: text.replace('"', "", 1),
    "a quote is missing at the end": lambda text: "".join(text.rpartition('"')[::2]),
    "every quote is missing": lambda text: text.replace('"', ""),
    "quotes are single": lambda text: text.replace('"', "'"),
    "a colon is missing": lambda text: text.replace(": ", " ", 1),
    "colons are missing": lambda text: text.replace(": ", " "),
    "a text stands for a name": lambda text: f'{text} "{SECRET}"',
    "a block stands for a name": lambda text: f'{text} """{SECRET}"""',
    "a name is too much": lambda text: f"{text} {NAME}",
    "a number is none": lambda text: text.replace(f'"{SECRET}"', "0123", 1),
    "an escape is none": lambda text: text.replace(SECRET, f"\\x{SECRET}"),
    "an escape has no end": lambda text: text.replace(SECRET, f"\\u{SECRET}"),
    "a text is cut": lambda text: text.replace(SECRET, f"{SECRET}\n"),
    "a secret is a name": lambda text: text.replace(f'"{SECRET}"', NAME),
    "a secret is a variable": lambda text: text.replace(f'"{SECRET}"', "$secret"),
}


def assert_silent(answer: httpx.Response, sent: object) -> None:
    """Assert that an answer is an error and has nothing of the secret in it."""
    assert "errors" in answer.json() or answer.json()["data"], answer.text
    assert SPOKEN not in answer.text and SPOKEN.replace("-", "_") not in answer.text, (answer.text, sent)
    for error in answer.json().get("errors", ()):
        assert error["extensions"]["code"] != "INTERNAL", error


@pytest.mark.slow(cases=12)
@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_error_repeats_no_literal_when_the_document_has_a_mistake(
    client: httpx.AsyncClient, mutation: str
) -> None:
    """Syntax errors and validation errors of every mutation say what is wrong and where, and nothing that was sent."""
    value = {name: value_of(type_) for name, type_ in inputs(mutation).items()}
    text = with_literals(mutation, value)
    for broken in BROKEN.values():
        assert_silent(await ask(client, broken(text)), broken)
    for wrong in mistaken(value):
        assert_silent(await ask(client, with_literals(mutation, wrong)), wrong)


@pytest.mark.slow(cases=12)
@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_error_repeats_no_variable_when_one_has_a_mistake(client: httpx.AsyncClient, mutation: str) -> None:
    """Errors of coercion, and of the mutation itself, name the place of a wrong value and not the value."""
    text = with_variables(mutation)
    value = {name: value_of(type_) for name, type_ in inputs(mutation).items()}
    for wrong in mistaken(value):
        assert_silent(await ask(client, text, **wrong), wrong)


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_mutation_repeats_nothing_when_it_refuses_its_input(office: World, mutation: str) -> None:
    """What a mutation itself says of texts, ids among them, that it cannot use does not repeat them."""
    given = {name: value_of(type_) for name, type_ in inputs(mutation).items()}
    # What is carried out may be stored, so this is no secret of ours: a text that nothing else has.
    text = orjson.loads(orjson.dumps(given).replace(SECRET.encode(), b"Zanzibar/4711"))
    errors = "errors { message hint path }"
    document = with_variables(mutation).replace("{ __typename }", f"{{ {errors} }}")
    answer = await office.caller(Role.SUPERUSER).ask(document, **text)
    told = [problem.message for problem in answer.problems] + [
        str(part["errors"]) for part in (answer.data or {}).values()
    ]
    assert "Zanzibar" not in str(told), told
