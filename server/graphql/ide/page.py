"""Serves GraphiQL from the files of this folder; never loads anything from another host.

The page has no inline script, so its content security policy needs neither nonce nor hash. The files' URLs contain a
digest of their content, so browsers may cache them for a year.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from server.graphql.media import accepts_gzip

FOLDER = Path(__file__).parent
# Only names in this table are served: no path of a request reaches the file system.
CONTENT_TYPES = {
    "react.production.min.js": "text/javascript",
    "react-dom.production.min.js": "text/javascript",
    "graphiql.min.js": "text/javascript",
    "graphiql.min.css": "text/css",
    "explorer.umd.js": "text/javascript",
    "explorer.css": "text/css",
    "page.js": "text/javascript",
    "page.css": "text/css",
}
PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        # CodeMirror and the docking panes set style attributes.
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self' data:",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


@dataclass(frozen=True)
class StaticFile:
    """One file, plain and gzipped."""

    plain: bytes
    zipped: bytes
    content_type: str


@cache
def assets() -> dict[str, StaticFile]:
    """Return the files by name; read and compressed once a process."""
    return {name: _asset(name, content_type) for name, content_type in CONTENT_TYPES.items()}


@cache
def assets_version() -> str:
    """Return a digest of all files' content; the URLs change with it."""
    digest = sha256()
    for name in sorted(CONTENT_TYPES):
        digest.update((FOLDER / name).read_bytes())
    return digest.hexdigest()[:16]


def ide_page(_: Request) -> Response:
    """Return the GraphiQL page."""
    html = (FOLDER / "page.html").read_text(encoding="utf-8").replace("@version@", assets_version())
    headers = {"Content-Security-Policy": PAGE_POLICY, "Vary": "Accept"}
    return Response(html, headers=headers, media_type="text/html")


async def ide_asset(request: Request) -> Response:
    """Return one file of the page, cacheable for a year."""
    asset = assets().get(request.path_params["name"])
    if asset is None or request.path_params["version"] != assets_version():
        raise HTTPException(404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    if accepts_gzip(request.headers.get("accept-encoding")):
        return Response(asset.zipped, 200, {**headers, "Content-Encoding": "gzip"}, asset.content_type)
    return Response(asset.plain, 200, headers, asset.content_type)


def _asset(name: str, content_type: str) -> StaticFile:
    plain = (FOLDER / name).read_bytes()
    return StaticFile(plain, gzip.compress(plain, 9, mtime=0), content_type)
