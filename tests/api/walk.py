"""Walks a list page by page, forwards or backwards, and checks what every page says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.api.caller import Caller

PAGE = "edges { cursor node { ...Node } } nodes { ...Node } pageInfo { ...Info }"
NODE = "fragment Node on %s { id }"
INFO = "fragment Info on PageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
PAGES_MAX = 2_000


def document(noun: str, field: str, arguments: str = "") -> str:
    """Write the query of a root list's page."""
    variables = "$first: Int, $last: Int, $after: String, $before: String"
    typed = f"$where: {noun}Where, $orderBy: [{noun}Order!]"
    passed = "first: $first, last: $last, after: $after, before: $before, where: $where, orderBy: $orderBy"
    query = f"query({variables}, {typed}) {{ {field}({passed} {arguments}) {{ {PAGE} }} }}"
    return "\n".join((query, NODE % noun, INFO))


def nested_document(parent: str, field: str, node: str) -> str:
    """Write the query of a page of `field` below `parent`, which takes the variable `id`."""
    variables = "$id: ID!, $first: Int, $last: Int, $after: String, $before: String"
    passed = "first: $first, last: $last, after: $after, before: $before"
    query = f"query({variables}) {{ parent: {parent} {{ {field}({passed}) {{ {PAGE} }} }} }}"
    return "\n".join((query, node, INFO))


async def walk(
    caller: Caller,
    text: str,
    field: str,
    *,
    size: int,
    backwards: bool = False,
    below: str | None = None,
    **variables: Any,
) -> list[str]:
    """Return the ids of a whole list in its own order, read in pages of `size`."""
    found: list[str] = []
    cursor: str | None = None
    for _ in range(PAGES_MAX):
        paging: Mapping[str, Any] = {"last": size, "before": cursor} if backwards else {"first": size, "after": cursor}
        # A variable that is left out, because null is a value of its own.
        given = {name: value for name, value in paging.items() if value is not None}
        data = await caller.data(text, **given, **variables)
        page = (data[below] if below else data)[field]
        ids = [node["id"] for node in page["nodes"]]
        _check(page, ids, size, is_first=cursor is None, backwards=backwards)
        found = ids + found if backwards else found + ids
        if not page["pageInfo"]["hasPreviousPage" if backwards else "hasNextPage"]:
            return found
        cursor = page["pageInfo"]["startCursor" if backwards else "endCursor"]
    raise AssertionError("the list does not end")


def _check(page: Mapping[str, Any], ids: list[str], size: int, *, is_first: bool, backwards: bool) -> None:
    info, cursors = page["pageInfo"], [edge["cursor"] for edge in page["edges"]]
    assert [edge["node"]["id"] for edge in page["edges"]] == ids
    assert (info["startCursor"], info["endCursor"]) == ((cursors[0], cursors[-1]) if cursors else (None, None))
    ahead, behind = ("hasPreviousPage", "hasNextPage") if backwards else ("hasNextPage", "hasPreviousPage")
    assert len(ids) == size if info[ahead] else len(ids) <= size
    assert info[behind] is not is_first
