"""Objects with text that breaks parsers and databases, and objects with missing or unknown properties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from server.simulator.fault.fault import fault
from server.simulator.graph.reply import GraphReply

LONG_CHARACTERS = 100_000
# The values are raw JSON text, because a lone surrogate can be written in no other way.
TEXTS = {
    "nul": r"a\u0000b", "lone-surrogate": r"a\ud800b", "pair-reversed": r"a\udc00\ud800b",
    "bidi": r"\u202egpj.exe\u2066 \u200f", "controls": r"a\u001b[31m\r\n\u2028b", "long": "x" * LONG_CHARACTERS,
}  # fmt: skip
_PLACE = "the hostile text stands here"
ENUMS = ("trustType", "profileType", "managementType", "userType", "externalUserState", "visibility")


@fault("G13", TEXTS, of_page=True)
def hostile_text(reply: GraphReply, value: str) -> None:
    """The first object's displayName holds hostile text; the long one has 100,000 characters."""
    _change(reply, lambda item: item | {"displayName": _PLACE})
    reply.body = reply.body.replace(_PLACE.encode(), value.encode())


@fault("G13", of_page=True)
def unknown_enum(reply: GraphReply, value: str) -> None:
    """The first object's enum properties have unknown values."""
    _change(reply, lambda item: item | {name: "unknownFutureValue" for name in ENUMS if name in item})


@fault("G13", of_page=True)
def missing_property(reply: GraphReply, value: str) -> None:
    """The first object lacks its displayName, although it was selected."""
    _change(reply, lambda item: {name: part for name, part in item.items() if name != "displayName"})


@fault("G13", of_page=True)
def unknown_property(reply: GraphReply, value: str) -> None:
    """The first object has a property and an annotation that were not selected."""
    extra = {"newThing": {"deep": [1, None]}, "newThing@odata.type": "#microsoft.graph.newThing"}
    _change(reply, lambda item: item | extra)


def _change(reply: GraphReply, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    page = reply.page
    items = page.get("value", [])
    for at, item in enumerate(items):
        if "@removed" not in item:
            items[at] = change(item)
            break
    reply.page = page
