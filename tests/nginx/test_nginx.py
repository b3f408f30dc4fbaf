"""deploy/nginx.conf in a real nginx: it starts, and lets through what a browser and a program send, and no more."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from server.graphql.stream.websocket import PROTOCOL
from tests.house.source import read
from tests.patience import PATIENCE_S
from tests.server.served import SITES, Served, served
from tests.server.station import INIT, hear, say

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = [
    pytest.mark.nginx,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt-get install nginx)"),
]
# What a distribution's own nginx.conf has around the example.
AROUND = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/rollcall.conf;
}}
"""


@dataclass
class Front:
    """A server behind nginx, and a client that trusts nginx's certificate."""

    server: Served
    port: int
    client: httpx.AsyncClient
    trusting: ssl.SSLContext

    @property
    def origin(self) -> str:
        """The origin of GraphiQL's page, with its port."""
        return f"https://localhost:{self.port}"


def configured(folder: Path, port: int, upstream: int) -> Path:
    """Write the example for this machine, and what stands around it; each value that is changed is there once."""
    text = read("deploy/nginx.conf")
    for example, mine in {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "server_name inventory.example;": "server_name localhost;",
        "/etc/ssl/certs/inventory.example.pem": f"{folder}/cert.pem",
        "/etc/ssl/private/inventory.example.key": f"{folder}/key.pem",
        "http://127.0.0.1:8000": f"http://127.0.0.1:{upstream}",
    }.items():
        assert text.count(example) == 1
        text = text.replace(example, mine)
    (folder / "rollcall.conf").write_text(text)
    path = folder / "nginx.conf"
    path.write_text(AROUND.format(folder=folder))
    return path


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@asynccontextmanager
async def running(config: Path, port: int) -> AsyncIterator[None]:
    """Run nginx while the block runs."""
    assert NGINX is not None
    process = await asyncio.create_subprocess_exec(NGINX, "-c", str(config), stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                assert process.returncode is None, await process.stderr.read() if process.stderr else ""
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.02)
                    continue
                writer.close()
                break
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    """A server with nginx before it, as deploy/nginx.conf says."""
    authority, folder, port = trustme.CA(), tmp_path / "nginx", free_port()
    folder.mkdir()
    issued = authority.issue_cert("localhost")
    (folder / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    (folder / "key.pem").write_bytes(issued.private_key_pem.bytes())
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    proxies = ("127.0.0.1/32",)
    async with (
        served(tmp_path / "data", trusted_proxies=proxies, cors_origins=("https://ui.example:8443",)) as server,
        running(configured(folder, port, server.address[1]), port),
        httpx.AsyncClient(
            base_url=f"https://localhost:{port}",
            headers={"Authorization": f"Bearer {server.token}"},
            timeout=PATIENCE_S,
            trust_env=False,
            verify=trusting,
        ) as client,
    ):
        yield Front(server, port, client, trusting)


async def test_request_is_answered_behind_nginx_as_over_tls(front: Front) -> None:
    """A query runs, HSTS is sent, and the address `/` leads to GraphiQL."""
    answer = await front.client.post("/graphql", json=SITES)
    assert answer.status_code == 200 and answer.json()["data"]["sites"]["nodes"]
    assert "max-age" in answer.headers["strict-transport-security"]
    root = await front.client.get("/")
    assert (root.status_code, root.headers["location"]) == (307, "/graphql")
    page = await front.client.get("/", headers={"Accept": "text/html"}, follow_redirects=True)
    assert page.status_code == 200 and "GraphiQL" in page.text
    assert (await front.client.get("/metrics")).status_code == 404


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("OWN", 200),
        ("https://ui.example:8443", 200),
        ("https://localhost", 403),
        ("https://localhost:1", 403),
        ("https://ui.example", 403),
        ("https://evil.example", 403),
    ],
)
async def test_origin_is_compared_with_its_port_behind_nginx(front: Front, origin: str, status: int) -> None:
    """The page that the server has sent may call it, at any port; one at another port may not."""
    origin = front.origin if origin == "OWN" else origin
    answer = await front.client.post("/graphql", json=SITES, headers={"Origin": origin})
    assert answer.status_code == status
    url = f"wss://localhost:{front.port}/graphql"
    given = {"subprotocols": [PROTOCOL], "origin": origin, "ssl": front.trusting, "proxy": None}
    if status == 403:
        with pytest.raises(InvalidStatus):
            await connect(url, **given)  # type: ignore[arg-type]
        return
    async with connect(url, **given) as opened:  # type: ignore[arg-type]
        await say(opened, INIT, payload={"Authorization": f"Bearer {front.server.token}"})
        assert await hear(opened) == {"type": "connection_ack"}


async def test_events_come_through_nginx_as_they_are_sent(front: Front) -> None:
    """The first line is there while the stream goes on."""
    body = {"query": "subscription { inventoryChanged { version } }"}
    async with front.client.stream("POST", "/graphql", json=body, headers={"Accept": "text/event-stream"}) as response:
        async with asyncio.timeout(PATIENCE_S):
            assert await anext(response.aiter_lines()) == ":"


async def test_address_of_a_caller_is_the_one_that_nginx_has_seen(front: Front) -> None:
    """Whatever the caller says itself of where it comes from."""
    headers = {"Authorization": "Bearer guess", "X-Forwarded-For": "203.0.113.9"}
    assert (await front.client.post("/graphql", json=SITES, headers=headers)).status_code == 401
    logins = front.server.app.state.rates.logins
    assert "203.0.113.9" in logins or "127.0.0.1" in logins
    assert len(logins) == 1
