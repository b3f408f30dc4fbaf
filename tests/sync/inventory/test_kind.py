"""The three tables against Microsoft's own metadata: no property is invented, none has another type."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Boolean, Column, Integer, Text

from sync.inventory.directory.kind import KINDS, Kind
from sync.store.tables.column import HOLDS, OBJECT, OBJECTS, Json, Time, graph_columns

METADATA = Path(__file__).parents[2] / "server" / "simulator" / "graph_csdl_subset.json"
# Documented on learn.microsoft.com/graph/api/resources/device, but not in the metadata of v1.0.
UNDECLARED = {"createdDateTime": "DateTimeOffset", "extensionAttributes": "onPremisesExtensionAttributes"}


@cache
def metadata() -> Any:
    """Return the subset of Microsoft Graph's metadata that is kept with the simulator's tests."""
    return orjson.loads(METADATA.read_bytes())


def declared(kind: Kind) -> dict[str, str]:
    """Return the properties and types of a kind, inherited ones included."""
    found: dict[str, str] = {}
    name: str | None = kind.name
    while name:
        entity = metadata()["entityTypes"][name]
        found, name = entity["properties"] | found, entity["base"]
    return found | (UNDECLARED if kind.name == "device" else {})


def column_type(graph_type: str) -> object:
    """Return the type a column has to have for a Graph type."""
    if graph_type.startswith("Collection(") or graph_type in metadata()["complexTypes"]:
        return Json
    if graph_type == "onPremisesExtensionAttributes":
        return Json
    return {"Boolean": Boolean, "Int32": Integer, "DateTimeOffset": Time}.get(graph_type, Text)


@pytest.mark.parametrize(
    ("kind", "prop", "column"),
    [(kind, prop, column) for kind in KINDS for prop, column in graph_columns(kind.table)],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_column_mirrors_a_property_of_microsofts_metadata(kind: Kind, prop: str, column: Column[Any]) -> None:
    """Each column's Graph property exists under exactly this name and has the matching type."""
    expected = column_type(declared(kind)[prop])
    if expected in (Json, Time):
        assert column.type is expected
    else:
        assert type(column.type) is expected and column.type is not Time


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_json_of_a_column_holds_what_the_metadata_says(kind: Kind) -> None:
    """A list of texts, a list of objects, or an object."""
    for prop, column in graph_columns(kind.table):
        graph_type = declared(kind)[prop]
        if column.type is Json:
            is_list = graph_type.startswith("Collection(")
            expected = None if graph_type == "Collection(String)" else OBJECTS if is_list else OBJECT
            assert column.info.get(HOLDS) == expected, prop


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_property_that_stays_in_raw_is_one_of_microsofts_metadata(kind: Kind) -> None:
    """What is read without a column exists under exactly this name, and holds objects."""
    for prop in kind.raw_only:
        assert declared(kind)[prop].removeprefix("Collection(").removesuffix(")") in metadata()["complexTypes"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_edge_is_a_relation_of_microsofts_metadata(kind: Kind) -> None:
    """Each relation exists as a navigation property; single ones are to-one there."""
    navigation: dict[str, str] = {}
    name: str | None = kind.name
    while name:
        entity = metadata()["entityTypes"][name]
        navigation, name = entity["navigation"] | navigation, entity["base"]
    for relation, edge in kind.edges.items():
        assert (edge in kind.single) == (not str(navigation[relation]).startswith("Collection("))


def test_selection_of_a_kind_is_fixed_and_may_leave_relations_out() -> None:
    """The order never changes, because it is part of the stored query hash."""
    for kind in KINDS:
        assert kind.select() == [*kind.select(with_edges=False), *kind.edges]
        assert len(set(kind.select())) == len(kind.select())
