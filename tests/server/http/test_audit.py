"""The reference suite of GraphQL over HTTP, over a real socket, with a real JavaScript client."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.types import ASGIApp

from tests.patience import PATIENCE_S
from tests.server.conftest import TOKEN, OpenProbe, small_app

AUDIT = Path(__file__).with_name("audit")
AUDITS = 61

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(shutil.which("node") is None, reason="needs node"),
    pytest.mark.skipif(not (AUDIT / "node_modules").is_dir(), reason="needs `npm ci` in tests/server/http/audit"),
]


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an application on a free loopback port while the block runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, ws="none", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve([listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def test_endpoint_passes_every_audit_of_the_reference_suite(open_probe: OpenProbe) -> None:
    """All 61 audits of graphql-http's auditServer are ok: no warning, no error."""
    async with open_probe() as probe, served(small_app(probe.endpoint)) as origin:
        process = await asyncio.create_subprocess_exec(
            "node",
            "audit.js",
            f"{origin}/graphql",
            TOKEN,
            cwd=AUDIT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 0, err.decode()
    results = [json.loads(line) for line in out.splitlines()]
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == AUDITS
