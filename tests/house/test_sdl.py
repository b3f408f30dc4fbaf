"""The committed schema is the served one, so that a review shows every change to the API."""

from __future__ import annotations

from tests.house.source import read


def test_committed_sdl_equals_the_served_schema() -> None:
    """schema/schema.graphql is what `rollcall schema` prints; write it anew with that command."""
    from schema import build_schema

    assert read("schema/schema.graphql").strip() == build_schema().as_str().strip()
