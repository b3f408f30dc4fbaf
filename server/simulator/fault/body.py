"""Wrong bodies: cut, of another shape or type, or from another server."""

from __future__ import annotations

import orjson

from server.simulator.fault.fault import fault
from server.simulator.graph.reply import GraphReply

PORTAL = b"""<!DOCTYPE html><html><head><title>Guest Wi-Fi</title></head>
<body><form action="/login"><input name="user"><input name="password" type="password"></form></body></html>"""


@fault("G7", of_page=True)
def truncated_json(reply: GraphReply, value: str) -> None:
    """The JSON stops in the middle, in a complete HTTP response."""
    reply.body = reply.body[: len(reply.body) // 2]


@fault("G7", of_page=True)
def json_list(reply: GraphReply, value: str) -> None:
    """The body is a JSON list."""
    reply.body = orjson.dumps(reply.page.get("value", []))


@fault("G7", of_page=True)
def no_value(reply: GraphReply, value: str) -> None:
    """The page has no `value`."""
    reply.page = {name: part for name, part in reply.page.items() if name != "value"}


@fault("G7", of_page=True)
def value_not_list(reply: GraphReply, value: str) -> None:
    """The page's `value` is an object."""
    reply.page = reply.page | {"value": {"id": "one"}}


@fault("G7", of_page=True)
def item_without_id(reply: GraphReply, value: str) -> None:
    """An object of the page has no `id`; a page without objects gets one."""
    page = reply.page
    first, *others = page.get("value") or [{"displayName": "nobody"}]
    reply.page = page | {"value": [{name: part for name, part in first.items() if name != "id"}, *others]}


@fault("G7", of_page=True)
def wrong_type(reply: GraphReply, value: str) -> None:
    """The page is JSON, but its Content-Type is text/html."""
    reply.headers["content-type"] = "text/html; charset=utf-8"


@fault("G6, G7")
def captive_portal(reply: GraphReply, value: str) -> None:
    """200 with the login page of a captive portal."""
    reply.replace(200, PORTAL, "text/html; charset=utf-8")


@fault("G7")
def empty_body(reply: GraphReply, value: str) -> None:
    """200 with an empty body."""
    reply.body = b""


@fault("G7", of_page=True)
def not_gzip(reply: GraphReply, value: str) -> None:
    """The Content-Encoding is gzip, but the body is not compressed."""
    reply.headers["content-encoding"] = "gzip"
