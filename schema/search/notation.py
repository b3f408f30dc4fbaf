"""Notations of values in daily life and in other languages: read where one thing is meant, else what to write here."""

from __future__ import annotations

import re
from datetime import date, timedelta
from ipaddress import ip_address, summarize_address_range

from schema.suggestion import shown
from sync.scan.report.usual_service import port_of

_AGO = re.compile(r"(?:now ?)?- ?(\d+ ?[a-z]+)|-?(\d+ ?[a-z]+) ago", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})", re.ASCII)
_DAYS = re.compile(r"(\d{4}-\d\d-\d\d) ?(?:\.\.|/|-|to|,) ?(\d{4}-\d\d-\d\d)", re.ASCII)
_VERSIONS = re.compile(r"(\d+(?:\.\d+)+)(?:-|\.\.\.?)(\d+(?:\.\d+)+)", re.ASCII)
_AMBIGUOUS = re.compile(r"([0-9]+) ?M")
_YEAR = re.compile(r"(19|20)\d\d", re.ASCII)
_LAST = {
    "today": "1day", "yesterday": "2days", "thisweek": "1week", "lastweek": "1week", "lastmonth": "1month",
    "thismonth": "1month", "lastyear": "1year", "recently": "1week",
}  # fmt: skip
_PROTOCOL = re.compile(r"(\d{1,5})/(tcp|udp)|(tcp|udp)/(\d{1,5})", re.ASCII | re.IGNORECASE)
_STARS = re.compile(r"(\d{1,3}(?:\.\d{1,3}){0,2})(?:\.(?:\*|x|0/\*))+", re.ASCII | re.IGNORECASE)
_SHORT_RANGE = re.compile(r"((?:\d{1,3}\.){3})(\d{1,3})-(\d{1,3})", re.ASCII)
_MAC = re.compile(r"[0-9a-f]{1,12}|[0-9a-f:.-]{2,17}", re.ASCII)
_WHOLE_MAC = re.compile(r"[0-9a-f]{2}([:-]?)(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}", re.ASCII)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{3})+", re.ASCII)
_NUMBER = re.compile(r"-?\d+", re.ASCII)
_NUMBERS = re.compile(r"(\d{1,18})(?:-|\.\.|\.\.\.)(\d{1,18})", re.ASCII)

Repair = tuple[str | None, str | None]


def mac_text(value: str, *, is_whole: bool) -> str:
    """Bring a MAC address, or a part of one, from any notation into the stored one; what is none stays.

    Args:
        value: as it was written.
        is_whole: whether only a whole address is one.
    """
    small = value.casefold().replace("-", ":")
    if not (_WHOLE_MAC if is_whole else _MAC).fullmatch(value.casefold()):
        return value
    # Groups without colons are pairs of digits, whatever their length.
    return ":".join(re.sub("([0-9a-f]{2})(?=[0-9a-f])", r"\1:", part) for part in small.split("."))


def address_range(value: str) -> tuple[str, ...]:
    """Return the networks that a range of addresses is made of, as `10.0.0.1-10.0.0.20`; of what is none, none."""
    first, _, last = value.partition("-")
    try:
        return tuple(map(str, summarize_address_range(ip_address(first.strip()), ip_address(last.strip()))))
    except (ValueError, TypeError):
        return ()


def instead_of_time(keyword: str, operator: str, value: str, unit: str) -> Repair:
    """Say what to write for a time.

    Args:
        keyword: of the term.
        operator: of the term.
        value: what is no time.
        unit: the unit of time that stands behind it with a blank between, if one does.

    Returns:
        A hint and the text to write, None where nobody knows.
    """
    word = value.casefold()
    sign = operator if operator in ("<", ">") else (operator or "<")[0].replace("=", "<")
    if unit:
        text = f"{keyword}:{operator or '<'}{value}{unit}"
        return f"Write {keyword}:{operator or '<'}{shown(value)}{shown(unit)} without the space.", text
    if found := _AMBIGUOUS.fullmatch(value):
        hint = f"M may mean months or minutes. Write {keyword}:{operator or '<'}1mo for a month, 1min for a minute."
        return hint, f"{keyword}:{sign}{found[1]}mo"
    # What is later than a time lies fewer days back.
    back = ">" if sign == "<" and operator else "<"
    if span := _LAST.get(re.sub("[ _-]", "", word)):
        hint = f"Write {keyword}:<{span}; {keyword}:<1day is the last 24 hours, a date is that whole day."
        return hint, f"{keyword}:{back}{span}"
    if ago := _AGO.fullmatch(word):
        span = (ago[1] or ago[2]).replace(" ", "")
        hint = f"Write {keyword}:<{shown(span)} for younger than that, {keyword}:>{shown(span)} for older."
        return hint, f"{keyword}:{back}{span}"
    if _YEAR.fullmatch(word):
        year = int(word)
        if operator:
            return f"Write {keyword}:{operator}{year}-01-01.", f"{keyword}:{operator}{year}-01-01"
        text = f"({keyword}:>={year}-01-01 AND {keyword}:<{year + 1}-01-01)"
        return f"Write {text}.", text
    if days := _days(keyword, operator, word):
        return f"Write {days}.", days
    if word.isdecimal():
        text = f"{keyword}:{sign}{word}days"
        return f"A unit is missing. Write {keyword}:{sign}{shown(word)}days.", text
    return None, None


def _days(keyword: str, operator: str, word: str) -> str | None:
    """Write a date whose day stands first, and a range of dates, whose last day counts."""
    if found := _DAY_FIRST.fullmatch(word):
        return f"{keyword}:{operator}{found[3]}-{int(found[2]):02}-{int(found[1]):02}" if int(found[2]) <= 12 else None
    if not (found := _DAYS.fullmatch(word)):
        return None
    try:
        end = date.fromisoformat(found[2]) + timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    return f"({keyword}:>={found[1]} AND {keyword}:<{end.isoformat()})"


def instead_of_text(keyword: str, operator: str, value: str, *, is_version: bool) -> str | None:
    """Return what to write for alternatives, a range of versions and the beginning of a text as others write them."""
    if "|" in value and all(parts := value.split("|")):
        return f"{keyword}:{operator}{','.join(parts)}"
    if is_version and (found := _VERSIONS.fullmatch(value)):
        return f"({keyword}:>={found[1]} AND {keyword}:<={found[2]})"
    if value.startswith("^") and (inner := value[1:].removesuffix("$")):
        return f"{keyword}:={inner}" if value.endswith("$") else f"{keyword}:={inner}%"
    return None


def instead_of_number(keyword: str, value: str) -> Repair:
    """Say what to write for a number: the text, and a hint where the text is not all of it."""
    word = value.strip().casefold()
    if port := _is_port(keyword) and port_of(word):
        text = f"{keyword}:{port}"
        return text, f"Write {text}, or protocol:{word} for what speaks it on any port."
    if found := _PROTOCOL.fullmatch(word):
        number, protocol = found[1] or found[4], found[2] or found[3]
        return (f"{protocol}_port:{number}", None) if _is_port(keyword) else (None, None)
    if (found := _NUMBERS.fullmatch(word)) and not _is_port(keyword):
        return f"({keyword}:>={found[1]} AND {keyword}:<={found[2]})", None
    if found:
        return None, "A range of ports cannot be asked for; list them: port:80,443."
    if _NUMBER.fullmatch(word := re.sub("[,_' ]", "", word)) and len(word) < 19:
        return f"{keyword}:{word}", None
    return None, None


def is_one_number(value: str) -> bool:
    """Tell whether a list of numbers is one number with commas."""
    return _THOUSANDS.fullmatch(value) is not None


def instead_of_star(keyword: str, operator: str, value: str) -> Repair:
    """Say what to write for a value with the wildcard of other languages, which no name holds."""
    if keyword and not value.strip("*"):
        return f"Whatever its value is, write has:{keyword}.", f"has:{keyword}"
    # In regular expressions the star stands behind a dot.
    value, plain_lead = value.replace(".*", "*"), f"{keyword}:{operator}" if keyword else ""
    # A pattern says of all of the value what stands where: web* begins so.
    lead = f"{keyword}:{operator or '='}" if keyword else ""
    hint = f"Write {lead}{shown(value).replace('*', '%')}; a * that is meant stands in quotes: "
    return f'{hint}{plain_lead}"{shown(value)}".', lead + value.replace("*", "%")


def instead_of_address(value: str) -> str | None:
    """Say which network or range is meant by an address with stars or an open end; None if none is."""
    if found := _STARS.fullmatch(value):
        octets = found[1].split(".")
        network = ".".join([*octets, *["0"] * (4 - len(octets))])
        return f"{network}/{8 * len(octets)}" if _is_address(network) else None
    if (
        (found := _SHORT_RANGE.fullmatch(value))
        and _is_address(found[1] + found[2])
        and _is_address(found[1] + found[3])
    ):
        first, last = sorted((int(found[2]), int(found[3])))
        return f"{found[1]}{first}-{found[1]}{last}"
    first_, hyphen, last_ = value.partition("-")
    if (
        hyphen
        and _is_address(first_)
        and _is_address(last_)
        and ip_address(first_).version == ip_address(last_).version
    ):
        return f"{last_}-{first_}"
    return None


def _is_port(keyword: str) -> bool:
    return keyword.casefold().replace("_", "").removesuffix("s") in ("port", "tcpport", "udpport", "tcp", "udp")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
