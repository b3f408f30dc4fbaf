"""Values in everyday notations and those of other search languages: converts clear ones, suggests a text for others."""

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
"""A hint, and the text to write; None where unknown."""


def mac_text(value: str, *, is_whole: bool) -> str:
    """Convert a MAC address, or a part of one, to the stored notation; return any other text unchanged.

    Args:
        value: as typed.
        is_whole: whether to convert only complete addresses.
    """
    small = value.casefold().replace("-", ":")
    if not (_WHOLE_MAC if is_whole else _MAC).fullmatch(value.casefold()):
        return value
    # Put a colon after each pair of digits within a group.
    return ":".join(re.sub("([0-9a-f]{2})(?=[0-9a-f])", r"\1:", part) for part in small.split("."))


def address_range(value: str) -> tuple[str, ...]:
    """Return the networks that make up a range such as `10.0.0.1-10.0.0.20`; empty if the text is no range."""
    first, _, last = value.partition("-")
    try:
        return tuple(map(str, summarize_address_range(ip_address(first.strip()), ip_address(last.strip()))))
    except (ValueError, TypeError):
        return ()


def instead_of_time(keyword: str, operator: str, value: str, unit: str) -> Repair:
    """Suggest a term for a value that is not a valid time.

    Args:
        keyword: of the term.
        operator: of the term.
        value: the invalid value.
        unit: the unit of time that follows the value after a blank; empty if there is none.

    Returns:
        A hint and the text to write; None where the intention is unclear.
    """
    word = value.casefold()
    sign = operator if operator in ("<", ">") else (operator or "<")[0].replace("=", "<")
    if unit:
        text = f"{keyword}:{operator or '<'}{value}{unit}"
        return f"Write {keyword}:{operator or '<'}{shown(value)}{shown(unit)} without the space.", text
    if found := _AMBIGUOUS.fullmatch(value):
        hint = f"M may mean months or minutes. Write {keyword}:{operator or '<'}1mo for a month, 1min for a minute."
        return hint, f"{keyword}:{sign}{found[1]}mo"
    # Later than a time means fewer days ago.
    back = ">" if sign == "<" and operator else "<"
    if span := _LAST.get(re.sub("[ _-]", "", word)):
        hint = f"Write {keyword}:<{span}; {keyword}:<1day is the last 24 hours, a date is that whole day."
        return hint, f"{keyword}:{back}{span}"
    if ago := _AGO.fullmatch(word):
        span = (ago[1] or ago[2]).replace(" ", "")
        hint = f"Write {keyword}:<{shown(span)} for more recent times, {keyword}:>{shown(span)} for older ones."
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
    """Suggest a term for a date with the day first, or for a range of dates, its last day included."""
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
    """Suggest a term for `a|b`, a range of versions, and `^text` or `^text$`; None for other values."""
    if "|" in value and all(parts := value.split("|")):
        return f"{keyword}:{operator}{','.join(parts)}"
    if is_version and (found := _VERSIONS.fullmatch(value)):
        return f"({keyword}:>={found[1]} AND {keyword}:<={found[2]})"
    if value.startswith("^") and (inner := value[1:].removesuffix("$")):
        return f"{keyword}:={inner}" if value.endswith("$") else f"{keyword}:={inner}%"
    return None


def instead_of_number(keyword: str, value: str) -> Repair:
    """Suggest a term for a value that is not a number: a hint, if the text needs one, and the text to write."""
    word = value.strip().casefold()
    if port := _is_port(keyword) and port_of(word):
        text = f"{keyword}:{port}"
        return f"Write {text}, or protocol:{word} for this protocol on any port.", text
    if found := _PROTOCOL.fullmatch(word):
        number, protocol = found[1] or found[4], found[2] or found[3]
        return (None, f"{protocol}_port:{number}") if _is_port(keyword) else (None, None)
    if (found := _NUMBERS.fullmatch(word)) and not _is_port(keyword):
        return None, f"({keyword}:>={found[1]} AND {keyword}:<={found[2]})"
    if found:
        return "Ranges of ports are not supported. List the ports: port:80,443.", None
    if _NUMBER.fullmatch(word := re.sub("[,_' ]", "", word)) and len(word) < 19:
        return None, f"{keyword}:{word}"
    return None, None


def is_one_number(value: str) -> bool:
    """Tell whether a text is one number with thousands separators, such as `1,000`."""
    return _THOUSANDS.fullmatch(value) is not None


def instead_of_star(keyword: str, operator: str, value: str) -> Repair:
    """Suggest a term for a value with `*`, the wildcard of other languages."""
    if keyword and not value.strip("*"):
        return f"Write has:{keyword} for any value.", f"has:{keyword}"
    # Regular expressions write `.*`.
    value, prefix = value.replace(".*", "*"), f"{keyword}:{operator}" if keyword else ""
    # A pattern describes the whole value, so `web*` becomes `=web%`.
    whole_prefix = f"{keyword}:{operator or '='}" if keyword else ""
    hint = f"Write {whole_prefix}{shown(value).replace('*', '%')}; to search for a literal *, quote it: "
    return f'{hint}{prefix}"{shown(value)}".', whole_prefix + value.replace("*", "%")


def instead_of_address(value: str) -> str | None:
    """Suggest a network or range for `10.0.0.*`, `10.0.0.5-20` or a reversed range; None for other values."""
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
    start, hyphen, end = value.partition("-")
    if hyphen and _is_address(start) and _is_address(end) and ip_address(start).version == ip_address(end).version:
        return f"{end}-{start}"
    return None


def _is_port(keyword: str) -> bool:
    return keyword.casefold().replace("_", "").removesuffix("s") in ("port", "tcpport", "udpport", "tcp", "udp")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
