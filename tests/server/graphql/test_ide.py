"""GraphiQL: served whole from this package, cacheable, and under a policy that loads nothing from elsewhere."""

from __future__ import annotations

import re

import pytest
from graphql import parse, validate

from schema import build_schema
from server.graphql.ide.page import CONTENT_TYPES, FOLDER, assets, assets_version
from tests.server.conftest import OpenProbe, Probe

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def test_page_is_served_without_a_token_when_a_browser_asks(probe: Probe) -> None:
    """The page itself holds nothing secret; the policy allows only this server, and no inline script."""
    del probe.client.headers["authorization"]
    response = await probe.client.get("/graphql", headers=HTML)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "http" not in policy
    assert not re.search(r"<script(?![^>]* src=)", response.text)
    assert not re.search(r"\son[a-z]+=", response.text)


async def test_page_names_only_files_that_are_served(probe: Probe) -> None:
    """Every address in the page answers with its type, plain and compressed, to be kept for a year."""
    page = await probe.client.get("/graphql", headers=HTML)
    addresses = re.findall(r'(?:src|href)="(graphiql/[^"]+)"', page.text)
    assert len(addresses) == len(CONTENT_TYPES)
    for address in addresses:
        for encoding in ("gzip", "identity"):
            response = await probe.client.get(f"/{address}", headers={"Accept-Encoding": encoding})
            name = address.rpartition("/")[2]
            assert response.status_code == 200
            assert response.content == (FOLDER / name).read_bytes()
            assert response.headers["content-type"].startswith(CONTENT_TYPES[name])
            assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert (response.headers.get("content-encoding") == "gzip") is (encoding == "gzip")


@pytest.mark.parametrize("name", ["NOTICE", "page.html", "..%2fide.py", "%2e%2e%2fhandler.py", "graphiql.min.js%00"])
async def test_file_is_not_served_when_it_is_not_in_the_table(probe: Probe, name: str) -> None:
    """Only listed names are served; a path cannot reach another file."""
    response = await probe.client.get(f"/graphiql/{assets_version()}/{name}")
    assert response.status_code == 404


async def test_file_is_not_served_under_another_version(probe: Probe) -> None:
    """An old address does not get a new file cached for a year."""
    response = await probe.client.get("/graphiql/0000000000000000/page.js")
    assert response.status_code == 404


async def test_page_is_not_served_when_graphiql_is_off(open_probe: OpenProbe) -> None:
    """GRAPHIQL=off leaves a browser with the API's own refusal."""
    async with open_probe(page=False) as probe:
        response = await probe.client.get("/graphql", headers=HTML)
    assert response.status_code == 400
    assert "text/html" not in response.headers["content-type"]


def test_files_load_nothing_from_another_host() -> None:
    """No file fetches code, styles or fonts from a content delivery network."""
    for name, asset in assets().items():
        text = asset.plain.decode()
        assert not re.findall(r"https?://(?:unpkg|cdn|esm|fonts)[.a-z]*/", text), name
        assert not re.findall(r"url\(\s*['\"]?(?:https?:)?//", text), name
        assert "@import" not in text, name


def test_notice_names_every_copied_package_with_its_version() -> None:
    """The licences travel with the files."""
    notice = (FOLDER / "NOTICE").read_text()
    for package in ("react 18.3.1", "react-dom 18.3.1", "graphiql 4.1.2", "@graphiql/plugin-explorer 4.0.6"):
        assert package in notice
    assert notice.count("Permission is hereby granted") >= 3


def test_default_query_is_valid_against_the_schema() -> None:
    """What a newcomer sees first in GraphiQL runs as it stands."""
    page = (FOLDER / "page.js").read_text()
    query = page.split("const DEFAULT_QUERY = `")[1].split("`;")[0]
    assert validate(build_schema()._schema, parse(query)) == []
