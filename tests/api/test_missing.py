"""`keyword:=` and `has:keyword` are opposites: made from all keywords, also across each relation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schema.access import Role
from schema.field.registry import NOUNS
from schema.search.vocabulary.keyword import Keyword
from schema.search.vocabulary.table import listed
from tests.api.lists import LISTS
from tests.api.world import World

AT_ONCE = 25


def names(noun: str) -> Iterator[str]:
    """Yield each keyword of an inventory, and across each of its relations one of every kind of value."""
    yield from (keyword.name for keyword in collected(noun))
    for relation in NOUNS[noun].relations.values():
        of_kinds = {keyword.kind: keyword.name for keyword in reversed(collected(relation.target))}
        yield from (f"{relation.name}.{name}" for name in of_kinds.values())


def collected(noun: str) -> list[Keyword]:
    """List the keywords of an inventory that something is read for; `has` and `attribute` take a name."""
    return [keyword for keyword in listed(noun) if keyword.name not in ("has", "attribute") and not keyword.uncollected]


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("noun", LISTS)
async def test_keyword_is_missing_exactly_where_it_has_no_value(world: World, noun: str) -> None:
    """Each row has a value or is missing one, never both and never neither, also where related rows differ."""
    caller, root, known = world.caller(Role.SUPERUSER, world.beta), LISTS[noun], list(names(noun))
    data = await caller.data(f"{{ {root}(first: 1000) {{ nodes {{ id }} }} }}")
    everything = {node["id"] for node in data[root]["nodes"]}
    assert everything
    for chunk in (known[at : at + AT_ONCE] for at in range(0, len(known), AT_ONCE)):
        searches = [search for name in chunk for search in (f"has:{name}", f"{name}:=")]
        asked = [f'{root}(first: 1000, search: "{search}") {{ nodes {{ id }} }}' for search in searches]
        fields = " ".join(f"a{number}: {field}" for number, field in enumerate(asked))
        data = (await caller.execute(f"{{ {fields} }}")).ok()
        found = [{node["id"] for node in data[f"a{number}"]["nodes"]} for number in range(len(searches))]
        for at, name in enumerate(chunk):
            there, missing = found[2 * at : 2 * at + 2]
            assert missing == everything - there, name


async def test_sign_in_activity_is_an_error_when_it_is_asked_for(world: World) -> None:
    """What no sync reads is not answered as if it had never happened; the hint says what to ask for instead."""
    for search in ("last_logon_at:<30days", "last_logon:0", "has:last_logon_at", "last_sign_in:="):
        answer = await world.caller().ask("query($s: String) { users(search: $s) { totalCount } }", s=search)
        assert answer.code == "BAD_SEARCH"
        assert "not collected" in answer.problems[0].message
        hint = str(answer.problems[0].hint)
        assert "owned_assets.last_seen:<30days" in hint and "last_password_change_date_time:<90days" in hint


@pytest.mark.parametrize("search", ["owned_assets.last_seen:<30days", "last_password_change_date_time:<90days"])
async def test_search_is_understood_when_the_hint_of_another_names_it(world: World, search: str) -> None:
    """What an error says to write can be written."""
    await world.caller().data("query($s: String) { users(search: $s) { totalCount } }", s=search)
