"""Keywords of the services that scans found, also with the prefix `service.`; a wrong value gets a suggestion."""

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
    """Make the keywords; `of_record` lifts a field of scan records (see derived.py)."""
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
    """Make the keyword of a scan record's attribute refuse the same values as the derived keyword."""
    refuse = {"protocols": _refuse_protocol, "transports": _refuse_transport}.get(field)
    return _checked(keyword, refuse, *keyword.aliases) if refuse else keyword


def _checked(keyword: Keyword, refuse: Callable[[Reading], None], *aliases: str) -> Keyword:
    def read(reading: Reading) -> Expr:
        if not reading.is_missing:
            refuse(reading)
        return keyword.read(reading)

    return replace(keyword, aliases=aliases, read=read)


def _refuse_port(reading: Reading) -> None:
    """Refuse ports as other programs write them: `ssh` and `22/tcp`."""
    if found := _WITH_TRANSPORT.fullmatch(reading.literal):
        instead = f"{found[2].lower()}:{found[1]}"
        hint = f"Write {instead}."
    elif _NAME.fullmatch(reading.literal):
        instead = f"protocol:{shown(reading.literal)}"
        hint = f"Write {instead} for a protocol, {reading.term.keyword}:22 for a port number."
    else:
        return
    message, expected = f"{reading.quoted} is not a whole number", FORMS[FieldKind.NUMBERS]
    reading.refuse(message, expected, hint=hint, instead=instead, suggestions=[instead])


def _refuse_protocol(reading: Reading) -> None:
    """Refuse a transport, because no service has one as its protocol."""
    if (word := reading.literal.casefold()) in TRANSPORTS[:2]:
        hint = f"Write transport:{word}; protocol: takes a protocol over it, such as http or ssh."
        reading.refuse(f"{reading.quoted} is a transport", hint=hint, suggestions=[f"transport:{word}"])


def _refuse_transport(reading: Reading) -> None:
    if reading.literal.casefold() not in TRANSPORTS:
        reading.refuse(f"{reading.quoted} is not a transport", TRANSPORTS)
