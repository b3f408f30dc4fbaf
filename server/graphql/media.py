"""Chooses the response's media type by Accept, and checks the request's Content-Type.

Source: graphql.github.io/graphql-over-http/draft (Media Types), RFC 9110 section 12.5.1.
"""

from __future__ import annotations

import enum
import re

from server.graphql.errors import BAD_USER_INPUT, Refused

QVALUE = re.compile(r"(0(\.[0-9]{0,3})?|1(\.0{0,3})?)\Z")
ACCEPT_RANGES_MAX = 50
EVENT_STREAM = "text/event-stream"


class Media(enum.StrEnum):
    """The media types a response can have, the default first."""

    JSON = "application/json"
    GRAPHQL = "application/graphql-response+json"

    @property
    def content_type(self) -> str:
        """The value of the Content-Type header."""
        return f"{self.value}; charset=utf-8"


def choose_media(accept: str | None) -> Media:
    """Return the response's media type; application/json without an Accept header.

    Raises:
        Refused: 406, neither type is acceptable.
    """
    if accept is None or not accept.strip():
        return Media.JSON
    ranges = _ranges(accept)
    weights = {media: _weight(ranges, media.value) for media in Media}
    best = max(weights.values())
    if best <= 0:
        raise Refused(
            406,
            BAD_USER_INPUT,
            "The server supports no media type of the Accept header.",
            hint=f"Send Accept: {Media.GRAPHQL.value}, or {Media.JSON.value}.",
        )
    winners = [media for media in Media if weights[media] == best]
    return _named_first(ranges, winners) or winners[0]


def wants_html(accept: str | None) -> bool:
    """Return whether a browser requests a page: Accept names text/html, with at least the weight of both JSON types."""
    if accept is None or "text/html" not in accept.lower():
        return False
    ranges = _ranges(accept)
    named = any(kind == "text/html" for kind, _ in ranges)
    html = _weight(ranges, "text/html")
    return named and html > 0 and html >= max(_weight(ranges, media.value) for media in Media)


def takes_stream(accept: str | None) -> bool:
    """Return whether Accept names server-sent events; a range such as `*/*` does not count."""
    if accept is None or EVENT_STREAM not in accept.lower():
        return False
    return any(kind == EVENT_STREAM and weight > 0 for kind, weight in _ranges(accept))


def check_content_type(header: str | None) -> None:
    """Refuse a body that is not application/json in UTF-8.

    Raises:
        Refused: 415; any web page can send a form or plain text without a CORS preflight.
    """
    kind, _, parameters = (header or "").partition(";")
    if kind.strip().lower() != Media.JSON.value:
        raise Refused(
            415,
            BAD_USER_INPUT,
            "The request's media type is not supported.",
            hint="Send Content-Type: application/json.",
            headers={"Accept-Post": Media.JSON.value},
        )
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "charset" and value.strip().strip('"').lower() not in ("utf-8", "utf8"):
            raise Refused(
                415,
                BAD_USER_INPUT,
                "The request's character set is not supported.",
                hint="Send the body as UTF-8.",
                headers={"Accept-Post": Media.JSON.value},
            )


def accepts_gzip(header: str | None) -> bool:
    """Return whether Accept-Encoding allows gzip."""
    weights = dict(_ranges(header or ""))
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _ranges(header: str) -> list[tuple[str, float]]:
    """Return (range, weight) of each entry in the caller's order; a malformed weight is zero."""
    ranges = []
    for part in header.split(",")[:ACCEPT_RANGES_MAX]:
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                weight = float(value) if QVALUE.match(value.strip()) else 0.0
        if kind:
            ranges.append((kind, weight))
    return ranges


def _weight(ranges: list[tuple[str, float]], media: str) -> float:
    """Return the weight of the most specific range that covers a media type."""
    for pattern in (media, media.partition("/")[0] + "/*", "*/*"):
        weights = [weight for kind, weight in ranges if kind == pattern]
        if weights:
            return max(weights)
    return 0.0


def _named_first(ranges: list[tuple[str, float]], winners: list[Media]) -> Media | None:
    """Return the winner that the caller names first, or None."""
    for kind, _ in ranges:
        for media in winners:
            if kind == media.value:
                return media
    return None
