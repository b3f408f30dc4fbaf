"""A value that no row can have is refused with what to ask instead, typed and in a search; never an empty list."""

from __future__ import annotations

from typing import Any

import pytest

from schema.filter.known_values import TRANSPORTS
from tests.api.world import World

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"scan": {"some": {"protocols": {"has": "tcp"}}}}, 'transports: {has: "tcp"}'),
    ({"scan": {"some": {"protocols": {"hasAny": ["http", "UDP"]}}}}, 'transports: {has: "udp"}'),
    ({"scan": {"none": {"protocols": {"hasAll": ["tcp"]}}}}, 'transports: {has: "tcp"}'),
    ({"scan": {"some": {"transports": {"has": "http"}}}}, "protocols"),
    ({"scan": {"some": {"transports": {"hasAny": ["tcp", "icmp"]}}}}, "protocols"),
    ({"scan": {"some": {"matchedBy": {"eq": "foreign-id"}}}}, "deviceId"),
    ({"azureAd": {"some": {"matchedBy": {"in": ["mac", "foreign_id"]}}}}, "deviceId"),
    ({"attributes": [{"source": "scan", "name": "protocols", "eq": "tcp"}]}, 'transports: {has: "tcp"}'),
    ({"attributes": [{"source": "scan", "name": "transports", "in": ["tls"]}]}, "protocols"),
]


@pytest.mark.parametrize(("where", "instead"), MISTAKES)
async def test_filter_is_refused_when_no_row_can_have_its_value(
    world: World, where: dict[str, Any], instead: str
) -> None:
    """The error says what to ask instead, and names the place."""
    answer = await world.caller().ask("query($w: AssetWhere) { assets(where: $w) { totalCount } }", w=where)
    assert answer.code == "BAD_USER_INPUT"
    assert instead in str(answer.problems[0].hint)
    assert "where." in answer.problems[0].message


@pytest.mark.parametrize("lead", ["protocol", "service.protocol", "@scan.dev.protocols", "scan.protocols"])
async def test_search_is_refused_when_it_asks_a_protocol_for_a_transport(world: World, lead: str) -> None:
    """Also by the attribute's own name."""
    answer = await world.caller().ask("query($s: String) { assets(search: $s) { totalCount } }", s=f"{lead}:tcp")
    assert answer.code == "BAD_SEARCH"
    assert "transport" in str(answer.problems[0].hint)


async def test_filter_is_taken_when_its_value_is_a_known_one(world: World) -> None:
    """Every transport is known, in any letter case; other protocols are."""
    for transport in TRANSPORTS:
        where = {"scan": {"some": {"transports": {"hasAny": [transport, transport.upper()]}}}}
        await world.caller().data("query($w: AssetWhere) { assets(where: $w) { totalCount } }", w=where)
    other = {"scan": {"some": {"protocols": {"has": "tls"}}}}
    await world.caller().data("query($w: AssetWhere) { assets(where: $w) { totalCount } }", w=other)
