"""Reads many small lists with few requests: `$batch`, twenty at a time; only the failed ones are requested again.

A batch saves round trips, not resource units. HTTP clients do not retry requests that fail inside a batch.

Source: learn.microsoft.com/graph/json-batching, learn.microsoft.com/graph/throttling (batching)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sync.entra.diagnose import graph_error, malformed, redirected
from sync.entra.graph.client import GraphClient
from sync.entra.graph.retry import parse_http_date, parse_retry_after
from sync.entra.graph.stream import collection_of, pages
from sync.errors import EntraError, Throttled
from sync.store.statement.function import folded

BATCH_MAX = 20
"""Requests in one batch; Graph refuses more."""

_GONE = 404


async def related(client: GraphClient, paths: Sequence[str]) -> dict[str, list[Mapping[str, Any]] | None]:
    """Read whole lists of related objects and return them by path; None if the object no longer exists.

    Args:
        client: sends the requests; a batch counts as one.
        paths: below /v1.0, such as `/devices/{id}/registeredOwners?$select=id&$top=999`.

    Raises:
        EntraError: a list cannot be read, after every retry.
    """
    found: dict[str, list[Mapping[str, Any]] | None] = {}
    for start in range(0, len(paths), BATCH_MAX):
        chunk = paths[start : start + BATCH_MAX]
        for path, body in (await _batch(client, chunk)).items():
            found[path] = None if body is None else await _whole(client, body)
    return found


async def _whole(client: GraphClient, body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the items of a list whose first page came in a batch."""
    items = list(body["value"])
    if (following := body.get("@odata.nextLink")) is not None:
        async for page in pages(client, following, is_delta=False):
            items += page.items
    return items


async def _batch(client: GraphClient, paths: Sequence[str]) -> dict[str, Mapping[str, Any] | None]:
    found: dict[str, Mapping[str, Any] | None] = {}
    pending, retry = dict(enumerate(paths)), client.retry()
    while pending:
        asked = dict(pending)
        requests = [{"id": str(number), "method": "GET", "url": pending[number]} for number in asked]

        def check(body: Mapping[str, Any], asked: Mapping[int, str] = asked) -> None:
            _check(client, body, asked)

        answers = (await client.post("/$batch", {"requests": requests}, check))["responses"]
        failed: list[EntraError] = []
        for answer in answers:
            number, status = int(answer["id"]), answer["status"]
            if 200 <= status < 300:
                found[pending.pop(number)] = answer["body"]
            elif status == _GONE:
                found[pending.pop(number)] = None  # It was deleted meanwhile, which is no error.
            else:
                failed.append(_error(client, answer, pending[number]))
        if failed:
            await client.wait(retry, _worst(failed))
    return found


def _check(client: GraphClient, body: Mapping[str, Any], pending: Mapping[int, str]) -> None:
    answers = body.get("responses")
    if not isinstance(answers, list) or not all(isinstance(answer, Mapping) for answer in answers):
        raise malformed("a batch without answers")
    if sorted(str(answer.get("id")) for answer in answers) != sorted(map(str, pending)):
        raise malformed("a batch whose answers do not fit its requests")
    for answer in answers:
        status, found = answer.get("status"), answer.get("body")
        if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status < 600:
            raise malformed("a batch with an answer without a status")
        if status < 300:
            _check_list(client, found, pending[int(answer["id"])])


def _check_list(client: GraphClient, found: object, path: str) -> None:
    items = found.get("value") if isinstance(found, Mapping) else None
    if not isinstance(items, list) or not all(
        isinstance(item, Mapping) and isinstance(item.get("id"), str) and item["id"] for item in items
    ):
        raise malformed("a list without ids in a batch")
    for item in items:
        item["id"] = folded(item["id"])
    link = found.get("@odata.nextLink") if isinstance(found, Mapping) else None
    if link is not None:
        if not isinstance(link, str):
            raise malformed("a link that is not text")
        client.check_link(link)
        if collection_of(link) != collection_of(path):
            raise malformed("a link to another collection in a batch")


def _error(client: GraphClient, answer: Mapping[str, Any], path: str) -> EntraError:
    body, found = answer.get("body"), answer.get("headers")
    headers = {str(name).lower(): str(value) for name, value in found.items()} if isinstance(found, Mapping) else {}
    sent: datetime = parse_http_date(headers.get("date")) or client.now()
    status = answer["status"]
    if 300 <= status < 400:
        return redirected(status)
    return graph_error(
        status,
        # Add an error object: the answer came from Graph, even if its body has none (see `refusal`).
        {"error": {}, **body} if isinstance(body, Mapping) else {"error": {}},
        path=f"/v1.0{path.partition('?')[0]}",
        is_cursor=False,
        retry_after_s=parse_retry_after(headers.get("retry-after"), now=sent),
    )


def _worst(failed: Sequence[EntraError]) -> EntraError:
    """Return the error that decides about the next try: the throttling with the longest wait, or else the longest wait.

    Raises:
        EntraError: the first error that a retry cannot help.
    """
    final = [error for error in failed if not error.retryable]
    throttled = [error for error in failed if isinstance(error, Throttled)]
    if final:
        raise final[0]
    return max(throttled or failed, key=lambda error: float(str(error.facts.get("retry_after_s") or 0)))
