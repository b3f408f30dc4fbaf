"""Columns that mirror Graph properties."""

from __future__ import annotations

import pytest

from sync.store.tables import metadata, users
from sync.store.tables.column import graph, graph_columns


@pytest.mark.parametrize(
    ("prop", "name"),
    [
        ("id", "id"),
        ("displayName", "display_name"),
        ("onPremisesNetBiosName", "on_premises_net_bios_name"),
        ("approximateLastSignInDateTime", "approximate_last_sign_in_date_time"),
        ("mdmAppId", "mdm_app_id"),
    ],
)
def test_column_is_named_after_its_property(prop: str, name: str) -> None:
    """Words are separated by underscores; Graph's own spelling stays beside the column."""
    column = graph(prop)
    assert (column.name, column.info["graph"], column.nullable) == (name, prop, True)


def test_graph_columns_are_those_that_mirror_a_property() -> None:
    """Our own columns are not asked of Graph."""
    props = [prop for prop, _ in graph_columns(users)]
    assert "userPrincipalName" in props
    assert not {"id", "version", "deleted_at", "external_id"} & {column.name for _, column in graph_columns(users)}


def test_table_of_an_organization_names_it_when_its_rows_go_out() -> None:
    """Every table with ids of its own has its organization's, so that no query needs a join to stay inside."""
    through = {"organizations": "itself", "run_log": "its run", "objects": "its directory", "matches": "its asset"}
    through |= {"port_sets": "nobody: it is named by its content"}
    without = [
        name
        for name, table in metadata.tables.items()
        if "id" in table.c and "organization_id" not in table.c and name not in through
    ]
    assert without == ["vault_proof"]
