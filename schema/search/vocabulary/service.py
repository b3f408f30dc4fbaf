"""The keywords of services that scans found, each also behind `service.`; a mistaken one is told which is meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from schema.field.registry import FieldKind
from schema.filter.expr import Expr
from schema.filter.known_values import TRANSPORTS
from schema.search.value import FORMS, Reading
from schema.search.vocabulary.keyword import Keyword
from schema.suggestion import shown

_NAME = re.compile(r"[a-z][\w-]*", re.IGNORECASE)
_WITH_TRANSPORT = re.compile(r"([0-9]{1,5})/(tcp|udp)", re.IGNORECASE)


def service_keywords(of_record: Callable[..., Keyword]) -> list[Keyword]:
    """Make the keywords; `of_record` makes that of something which scan records say (derived.py)."""
    port, tcp, udp, protocol, transport = (
        of_record(name, ("scan", field))
        for name, field in (
            ("port", "ports"),
            ("tcp_port", "tcp_ports"),
            ("udp_port", "udp_ports"),
            ("protocol", "protocols"),
            ("transport", "transports"),
        )
    )
    return [
        _checked(port, _refuse_port, "service.port"),
        _checked(tcp, _refuse_port, "tcp"),
        _checked(udp, _refuse_port, "udp"),
        _checked(protocol, _refuse_protocol, "service.protocol"),
        replace(_checked(transport, _refuse_transport, "service.transport"), kind=FieldKind.ENUM, values=TRANSPORTS),
    ]


def checked_attribute(keyword: Keyword, field: str) -> Keyword:
    """Let the attribute of a scan record be as particular about its values as its keyword is."""
    refuse = {"protocols": _refuse_protocol, "transports": _refuse_transport}.get(field)
    return _checked(keyword, refuse, *keyword.aliases) if refuse else keyword


def _checked(keyword: Keyword, refuse: Callable[[Reading], None], *aliases: str) -> Keyword:
    def read(reading: Reading) -> Expr:
        if not reading.is_missing:
            refuse(reading)
        return keyword.read(reading)

    return replace(keyword, aliases=aliases, read=read)


def _refuse_port(reading: Reading) -> None:
    """Refuse the name of a protocol, and a number with its transport, as other programs write ports."""
    if found := _WITH_TRANSPORT.fullmatch(reading.literal):
        wanted = f"{found[2].lower()}:{found[1]}"
        reading.refuse(
            f"{reading.said} is not a whole number",
            FORMS[FieldKind.NUMBERS],
            instead=wanted,
            hint=f"Write {wanted}.",
            suggestions=[wanted],
        )
    if _NAME.fullmatch(reading.literal):
        wanted = f"protocol:{shown(reading.literal)}"
        hint = f"Write {wanted} for what is spoken at a port, {reading.term.keyword}:22 for its number."
        reading.refuse(
            f"{reading.said} is not a whole number",
            FORMS[FieldKind.NUMBERS],
            instead=wanted,
            hint=hint,
            suggestions=[wanted],
        )


def _refuse_protocol(reading: Reading) -> None:
    """Refuse what is a transport: nothing would be found, as `protocol` asks for what is spoken over it."""
    if (word := reading.literal.casefold()) in TRANSPORTS[:2]:
        hint = f"Write transport:{word}; protocol: is what is spoken over it, such as http or ssh."
        reading.refuse(f"{reading.said} is a transport", hint=hint, suggestions=[f"transport:{word}"])


def _refuse_transport(reading: Reading) -> None:
    if reading.literal.casefold() not in TRANSPORTS:
        reading.refuse(f"{reading.said} is no transport", TRANSPORTS)
