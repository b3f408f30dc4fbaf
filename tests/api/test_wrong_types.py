"""Values of types that Microsoft does not document: null where they do not fit, told by the run, kept in `raw`.

Generated from the registry: each declared property of users, groups and devices gets values of every type of JSON.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from sqlalchemy import Column

from schema.access import Principal, Role
from schema.field.registry import NOUNS, Field, FieldKind
from sync.inventory.directory.kind import DEVICE, GROUP, KINDS, USER
from sync.store import AnyRow
from sync.store.tables.column import LOWER, graph_columns
from tests.api.caller import Caller
from tests.api.test_plan import planned
from tests.api.test_where import FLAGS, MANY, operators
from tests.end_to_end.odd import Item, Odd
from tests.sync.inventory.values import ANY_TYPE, fits

KIND_OF = {"User": USER, "Group": GROUP, "AzureAdDevice": DEVICE}
LISTED = {
    "User": "{ users(first: 1000) { nodes { %s } } }",
    "Group": "{ groups(first: 1000) { nodes { %s } } }",
    "AzureAdDevice": "{ assets(first: 1000) { nodes { azureAd { %s } } } }",
}
FILTERED = {"User": ("User", "users"), "Group": ("Group", "groups"), "AzureAdDevice": ("Asset", "assets")}
VALUES: dict[FieldKind, Any] = {
    FieldKind.BOOL: True,
    FieldKind.INT: 7,
    FieldKind.NUMBERS: 7,
    FieldKind.TIME: "2026-01-02T03:04:05.678Z",
    FieldKind.VERSION: "10.0",
}


def declared(noun: str) -> dict[str, tuple[str, Column[Any]]]:
    """Return Graph property → the field's name and its column."""
    columns = dict(graph_columns(KIND_OF[noun].table))
    shown = {field.column: field.graphql_name for field in NOUNS[noun].fields.values()}
    return {prop: (shown[column], column) for prop, column in columns.items() if column in shown}


def items(noun: str) -> dict[str, Item]:
    """Return an object for each property, with a column or without, and each value; by id."""
    kind = KIND_OF[noun]
    props = [*dict(graph_columns(kind.table)), *kind.raw_only]
    made: list[Item] = []
    for prop in props:
        made += [{"id": f"{prop.lower()}-{n}", prop: value} for n, value in enumerate(ANY_TYPE.values())]
    made.append({"id": "nested", "extension_x": {"deep": [{"a": 2**70}, -(2**64), 2**64 - 1, 0.5]}})
    return {item["id"]: item for item in made}


class Read:
    """The tenant after a run that has read it."""

    def __init__(self, odd: Odd, run: AnyRow, warnings: list[AnyRow]) -> None:
        self.run, self.warnings = run, warnings
        self.caller = Caller(odd.runtime, Principal(1, odd.organization_id, Role.ADMINISTRATOR, "test"))

    async def rows(self, noun: str, selection: str, *, by_plan: bool) -> dict[str, Any]:
        """Return what the executor or the compiled plan says, by external id."""
        document = LISTED[noun] % selection
        if by_plan:
            response = await planned(self.caller, document)
            assert response is not None
            data = json.loads(response.body)["data"]
        else:
            answer = (await self.caller.execute(document)).ok()
            data = json.loads(orjson.dumps(answer))
        (found,) = data.values()
        nodes = found["nodes"]
        if noun == "AzureAdDevice":
            nodes = [record for asset in nodes for record in asset["azureAd"]]
        return {node["externalId"]: node for node in nodes}


@pytest.fixture(scope="module")
async def read(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Read]:
    """Return the tenant, read once."""
    odd = Odd(tmp_path_factory.mktemp("odd") / "data")
    await odd.open()
    try:
        await odd.furnish()
        said = {str(KIND_OF[noun].plural): items(noun).values() for noun in LISTED}
        run = await odd.read(said)
        yield Read(odd, run, await odd.warnings(run.id))
    finally:
        await odd.close()


def test_every_property_with_a_column_is_a_field() -> None:
    """What is compared below is everything: no column of Graph's is left out of the schema."""
    for noun, kind in KIND_OF.items():
        assert set(declared(noun)) == {prop for prop, _ in graph_columns(kind.table)}


@pytest.mark.slow(cases=4)
@pytest.mark.parametrize("by_plan", [False, True], ids=["executor", "plan"])
@pytest.mark.parametrize("with_raw", [False, True], ids=["columns alone", "with raw"])
@pytest.mark.parametrize("noun", LISTED)
async def test_field_shows_the_value_or_null_when_it_is_of_any_type(
    read: Read, noun: str, with_raw: bool, by_plan: bool
) -> None:
    """Executor, generated rows and rows that the database writes: right or null, and `raw` is what was received."""
    fields = declared(noun)
    names = [name for name, _ in fields.values()]
    selection = ["externalId", *names, *(["raw"] if with_raw else [])]
    rows = await read.rows(noun, " ".join(selection), by_plan=by_plan)
    assert set(rows) == set(items(noun))
    for external_id, item in items(noun).items():
        shown = dict.fromkeys(names, None)
        for prop in fields.keys() & item.keys():
            (name, column), value = fields[prop], item[prop]
            if fits(column, value):
                shown[name] = value.lower() if column.info.get(LOWER) else value
        row = rows[external_id]
        if with_raw:
            assert json.dumps(row.pop("raw"), sort_keys=True) == json.dumps(item, sort_keys=True)
        assert row == shown | {"externalId": external_id}


@pytest.mark.parametrize("by_plan", [False, True], ids=["executor", "plan"])
async def test_attributes_keep_every_digit(read: Read, by_plan: bool) -> None:
    """A number beyond 64 bits is shown with its digits among what a source gave, too."""
    rows = await read.rows("User", "externalId attributes { name value }", by_plan=by_plan)
    for external_id, item in items("User").items():
        shown = {one["name"]: one["value"] for one in rows[external_id]["attributes"]}
        for prop, value in item.items():
            assert isinstance(value, dict) or json.dumps(shown[prop]) == json.dumps(value)


async def test_run_warns_once_of_each_property_and_says_of_how_many_records(read: Read) -> None:
    """The run succeeds; each warning names kind, property and number, and repeats no value."""
    assert (read.run.status, read.run.errors) == ("SUCCEEDED", [])
    expected = Counter(
        (kind.plural, prop)
        for kind in KINDS
        for prop, column in graph_columns(kind.table)
        for value in ANY_TYPE.values()
        if not fits(column, value)
    )
    told = {(row.facts["resource"], row.facts["property"]): row for row in read.warnings}
    assert len(told) == len(read.warnings)
    assert {key: row.facts["records"] for key, row in told.items()} == expected
    for (resource, prop), row in told.items():
        assert row.code == "WRONG_TYPE"
        assert row.message.startswith(f"{resource}: {prop} ") and f" {row.facts['records']} records" in row.message
        assert row.facts.keys() == {"hint", "resource", "property", "records"}
        assert "Wrong" not in f"{row.message}{row.facts}"


def conditions(noun: str, field: Field) -> list[dict[str, Any]]:
    """Return a condition for each operator of a field."""
    values = {op: "1d" if op.endswith("Than") else VALUES.get(field.kind, "a") for op in operators(noun, field)}
    given = {op: True if op in FLAGS else [one] if op in MANY else one for op, one in values.items()}
    return [{field.graphql_name: {op: value}} for op, value in given.items()]


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("noun", LISTED)
async def test_filter_answers_whatever_type_the_received_values_have(read: Read, noun: str) -> None:
    """Every operator of every field, also of those that lie in `raw` alone: one odd object fails no query."""
    name, listed = FILTERED[noun]
    text = f"query($where: {name}Where) {{ {listed}(first: 5, where: $where) {{ totalCount nodes {{ id }} }} }}"
    fields = [field for field in NOUNS[noun].filterable().values() if not field.enum and field.kind is not FieldKind.ID]
    lists = [field for field in fields if field.received_as and field.kind is FieldKind.LIST]
    # A list that lies in `raw` may hold anything: each operator by itself, because OR ends at what holds.
    asked = [[condition] for field in lists for condition in conditions(noun, field)]
    others = [condition for field in fields if field not in lists for condition in conditions(noun, field)]
    asked += [others[start : start + 100] for start in range(0, len(others), 100)]
    for some in asked:
        where = {"or": some}
        await read.caller.data(text, where={"azureAd": {"some": where}} if name == "Asset" else where)
    for field in lists:
        for search in (f"{field.keyword or field.name}:a", f"has:{field.keyword or field.name}"):
            await read.caller.data(f"query($s: String!) {{ {listed}(search: $s) {{ totalCount }} }}", s=search)


@pytest.mark.parametrize(("noun", "aggregate"), [("User", "usersAggregate"), ("Group", "groupsAggregate")])
async def test_rows_are_counted_by_properties_whatever_type_their_values_have(
    read: Read, noun: str, aggregate: str
) -> None:
    """Each value that was received is a key of its own, with all its digits."""
    text = 'query($n: String!) { %s(groupBy: [{attribute: {source: "azuread", name: $n}}]) { groups { %s } } }'
    kind = KIND_OF[noun]
    for prop in (*dict(graph_columns(kind.table)), *kind.raw_only):
        answer = await read.caller.execute(text % (aggregate, "count keys { value }"), n=prop)
        groups = json.loads(orjson.dumps(answer.ok()))[aggregate]["groups"]
        values = {json.dumps(group["keys"][0]["value"]) for group in groups}
        assert values == {json.dumps(value) for value in (None, *ANY_TYPE.values())}, prop
