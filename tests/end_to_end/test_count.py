"""What Graph answers when it is asked to count decides nothing: the streams are read all the same."""

from __future__ import annotations

from typing import Any

import pytest

from tests.end_to_end.fault import App
from tests.end_to_end.installation import Installation
from tests.end_to_end.truth import differences

ANSWERS = {
    **{str(status): (status, b"{}", b"application/json") for status in (400, 401, 403, 404, 429, 500, 503)},
    "text": (200, b"many", b"text/plain"),
    "HTML": (200, b"<html>Wi-Fi</html>", b"text/html"),
    "nothing": (200, b"", b"text/plain"),
}


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("name", ANSWERS)
async def test_streams_are_read_whatever_the_count_answers(installation: Installation, name: str) -> None:
    """Refused, failing, throttled or a portal's page: the run succeeds, equal, with progress that has no total."""
    status, body, kind = ANSWERS[name]

    async def no_count(scope: Any, receive: Any, send: Any, app: App) -> None:
        if scope["path"].endswith("/$count"):
            headers = [(b"content-type", kind)]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        else:
            await app(scope, receive, send)

    installation.simulator.faults = no_count
    run = await installation.run()
    assert (run.status, run.errors) == ("SUCCEEDED", [])
    assert {part["total"] for part in run.progress.values()} == {None}
    assert await differences(installation) == []
