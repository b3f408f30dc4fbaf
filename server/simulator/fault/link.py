"""Wrong links: to another origin, in circles, to empty pages, or missing.

A page without a link gets none. The hosts are reserved names and loopback; a client must never connect to them.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit, urlunsplit

from server.simulator.fault.fault import fault
from server.simulator.fault.refusal import refuse
from server.simulator.graph.query import parse_options
from server.simulator.graph.reply import GraphReply
from server.simulator.graph.route import without_turn

NEXT, DELTA = "@odata.nextLink", "@odata.deltaLink"
ASTRAY = {
    "host": "https://graph.attacker.example", "port": "port", "scheme": "scheme", "userinfo": "userinfo",
    "lookalike": "lookalike", "no-scheme": "//graph.attacker.example", "address": "https://127.0.0.2:9",
    "punycode": "https://xn--grph-microsoft-3ib.example",
}  # fmt: skip


def astray(url: str, how: str) -> str:
    """Return a URL that resembles the given one but leads to another origin."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    rest = urlunsplit(("", "", parts.path, parts.query, ""))
    origins = {
        "port": f"{parts.scheme}://{host}:{port + 1 if port < 65_535 else 1}",
        "scheme": f"http://{parts.netloc}",
        "userinfo": f"{parts.scheme}://user:word@{parts.netloc}",
        "lookalike": f"{parts.scheme}://{parts.netloc}@graph.attacker.example",
    }
    return origins.get(how, how) + rest


@fault("G9", ASTRAY, of_page=True)
def link_astray(reply: GraphReply, value: str) -> None:
    """The page's nextLink or deltaLink leaves the origin."""
    if name := reply.link_name:
        page = reply.page
        reply.page = page | {name: astray(page[name], value)}


@fault("G9", ASTRAY)
def location_astray(reply: GraphReply, value: str) -> None:
    """410 whose Location leaves the origin."""
    location = astray(f"{reply.asked.simulator.origin}{reply.asked.template}?$deltatoken=", value)
    refuse(reply, 410, "syncStateNotFound", "The sync state generation is not found.", location=location)


@fault("G9", ("301", "302", "303", "307", "308"))
def redirect(reply: GraphReply, value: str) -> None:
    """A redirect to another host."""
    reply.replace(int(value), b"", "text/plain", location=astray(reply.asked.url, ASTRAY["host"]))


@fault("G10", ("1", "2", "5"), lasting=True, of_page=True)
def cycle(reply: GraphReply, value: str) -> None:
    """The nextLinks form a circle of one, two or five pages with the same objects."""
    _lead(reply, (_turn(reply) + 1) % int(value), keep=True)


@fault("G11", of_page=True)
def empty_page(reply: GraphReply, value: str) -> None:
    """A page without objects, whose nextLink leads to the real one."""
    _lead(reply, _turn(reply) + 1, keep=False)


@fault("G11", lasting=True, of_page=True)
def endless_empty_pages(reply: GraphReply, value: str) -> None:
    """Pages without objects, each with another nextLink, without end."""
    _lead(reply, _turn(reply) + 1, keep=False)


@fault("G11", of_page=True)
def no_link(reply: GraphReply, value: str) -> None:
    """The page has neither nextLink nor deltaLink."""
    reply.page = {name: part for name, part in reply.page.items() if name not in (NEXT, DELTA)}


@fault("G11", of_page=True)
def both_links(reply: GraphReply, value: str) -> None:
    """The page has nextLink and deltaLink."""
    page = reply.page
    link = page.get(NEXT) or page.get(DELTA)
    reply.page = page | {NEXT: link, DELTA: link}


def _turn(reply: GraphReply) -> int:
    options = parse_options(parse_qsl(urlsplit(reply.asked.url).query))
    return int(options.get("turn", "0"))


def _lead(reply: GraphReply, turn: int, *, keep: bool) -> None:
    """Let the page's nextLink lead to the page's own URL, with the number of the turn as an option at the end."""
    url = without_turn(reply.asked.url)
    link = f"{url}{'&' if '?' in url else '?'}turn={turn}" if turn else url
    page = {name: part for name, part in reply.page.items() if name not in (NEXT, DELTA)}
    reply.page = page | {"value": page.get("value", []) if keep else [], NEXT: link}
