"""Every setting, declared once and read from `ROLLCALL_*`; no other module reads the environment.

A value is never echoed, because it may be a secret.

`docs/settings.md` holds the table that `settings_table` writes; a test compares the two.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from schema.limits import Bound, Limits, bounds
from sync.entra.cloud import parse_origin
from sync.errors import BadInput, BadSettings

PREFIX = "ROLLCALL_"
FILE_SUFFIX = "_FILE"
BODY_BYTES_CEILING = 256 * 1024
REQUEST_TIMEOUT_CEILING_S = 10.0
RESPONSE_CACHE_CEILING_MIB = 4_096
SECRET_FILE_BYTES_MAX = 64 * 1024


class Unfit(Exception):
    """A value does not fit its setting; the text says what is expected and never repeats the value."""


@dataclass(frozen=True)
class Setting:
    """One setting: how it is named, read, defaulted and described."""

    name: str
    parse: Callable[[str], Any]
    default: Any
    description: str
    expected: str
    secret: bool = False
    default_text: str | None = None

    @property
    def attribute(self) -> str:
        """Its name on `Settings`."""
        return self.name.lower()

    @property
    def key(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.name


def _text(value: str) -> str:
    return value


def _path(value: str) -> Path:
    return Path(value).expanduser()


def _host(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", value):
            return value
        raise Unfit from None


def _port(value: str) -> int:
    return int(_number(value, least=0, most=65535))


def _number(value: str, *, least: float, most: float) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", value):
        raise Unfit
    number = float(value)
    if not least <= number <= most:
        raise Unfit
    return number


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not value.isascii() or not value.isdigit():
            raise Unfit
        return int(_number(value, least=least, most=most))

    return parse


def _response_cache_mib(value: str) -> int:
    if not value.isascii() or not value.isdigit():
        raise Unfit
    return int(_number(value, least=0, most=RESPONSE_CACHE_CEILING_MIB))


def _timeout_s(value: str) -> float:
    return _number(value, least=0.1, most=REQUEST_TIMEOUT_CEILING_S)


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.lower() not in choices:
            raise Unfit
        return value.lower()

    return parse


def _switch(value: str) -> bool:
    return {"on": True, "off": False}[_choice("on", "off")(value)]


def _https_origin(value: str) -> str:
    try:
        return parse_origin(value)
    except BadInput:
        raise Unfit from None


def _split(value: str) -> Any:
    try:
        parts = urlsplit(value)
        hostname = parts.hostname
        _ = parts.port  # a port out of range is only noticed when asked for
    except ValueError:
        raise Unfit from None
    if not hostname or parts.username is not None or any(mark in value for mark in " \t\r\n\\"):
        raise Unfit
    return parts


def _origins(value: str) -> tuple[str, ...]:
    return tuple(_web_origin(item.strip()) for item in value.split(",") if item.strip())


def _web_origin(value: str) -> str:
    parts = _split(value)
    if parts.scheme not in ("http", "https") or parts.path or parts.query or parts.fragment:
        raise Unfit
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _limit(bound: Bound) -> Setting:
    """Make the setting of a limit that schema/limits.py declares."""
    return Setting(
        f"QUERY_{bound.attribute.upper()}_MAX",
        _whole(1, bound.ceiling),
        bound.value,
        bound.description,
        f"a whole number from 1 to {bound.ceiling}",
    )


LIMITS: dict[str, str] = {f"query_{bound.attribute}_max": bound.attribute for bound in bounds(Limits())}

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "DATA_DIR",
        _path,
        Path("rollcall-data"),
        "Folder for the SQLite database, the key file, the lock file and the control socket.",
        "a path",
        default_text="./rollcall-data",
    ),
    Setting("HOST", _host, "127.0.0.1", "Address to listen on.", "an IP address or a host name"),
    Setting("PORT", _port, 8000, "Port to listen on; 0 takes a free one.", "a whole number from 0 to 65535"),
    Setting(
        "KEYS",
        _text,
        None,
        "Keys that seal stored secrets: `id:base64(32 bytes)`, separated by commas; the first seals, all open.",
        "id:base64(32 bytes)[,…]",
        secret=True,
        default_text="a key file made in the data folder",
    ),
    Setting(
        "CUSTOM_AUTHORITY_URL",
        _https_origin,
        None,
        "Sign-in origin of the `CUSTOM` cloud, for the simulator or a proxy of your own.",
        "an https:// origin without a path",
        default_text="none",
    ),
    Setting(
        "CUSTOM_GRAPH_URL",
        _https_origin,
        None,
        "Microsoft Graph origin of the `CUSTOM` cloud.",
        "an https:// origin without a path",
        default_text="none",
    ),
    Setting(
        "CUSTOM_CA_FILE",
        _path,
        None,
        "PEM file with the certificate authority that the `CUSTOM` cloud's certificates come from.",
        "a path",
        default_text="the machine's authorities",
    ),
    Setting(
        "LOG_LEVEL",
        _choice("debug", "info", "warning", "error"),
        "info",
        "The least urgent log line to write.",
        "debug, info, warning or error",
    ),
    Setting(
        "LOG_FORMAT",
        _choice("json", "text"),
        "json",
        "One JSON object a line, or text for people.",
        "json or text",
    ),
    Setting("GRAPHIQL", _switch, True, "Serve GraphiQL at `/graphql`.", "on or off", default_text="on"),
    Setting(
        "INTROSPECTION",
        _switch,
        True,
        "Answer `__schema` and `__type` to callers with a valid token.",
        "on or off",
        default_text="on",
    ),
    Setting(
        "BODY_BYTES_MAX",
        _whole(1024, BODY_BYTES_CEILING),
        BODY_BYTES_CEILING,
        "Largest request body, in bytes.",
        f"a whole number from 1024 to {BODY_BYTES_CEILING}",
    ),
    Setting(
        "REQUEST_TIMEOUT_S",
        _timeout_s,
        10.0,
        "Longest time one request may take, in seconds.",
        f"a number from 0.1 to {REQUEST_TIMEOUT_CEILING_S:g}",
        default_text="10",
    ),
    Setting(
        "RESPONSE_CACHE_MIB",
        _response_cache_mib,
        64,
        "Memory for answers that are given again while nothing has changed, in MiB; 0 keeps none.",
        f"a whole number from 0 to {RESPONSE_CACHE_CEILING_MIB}",
        default_text="64",
    ),
    Setting(
        "CORS_ORIGINS",
        _origins,
        (),
        "Web origins whose pages may call the API, separated by commas; `*` is not accepted.",
        "http(s)://host[:port][,…]; never *",
        default_text="none",
    ),
    Setting(
        "ALERT_ORIGINS",
        _origins,
        (),
        "Where webhooks may send alerts to, separated by commas; an `http://` origin sends them in the clear.",
        "http(s)://host[:port][,…]; never *",
        default_text="nowhere",
    ),
    *map(_limit, bounds(Limits())),
)


@dataclass(frozen=True)
class Settings:
    """What the operator decided; the fields mirror `SETTINGS`, those of `limits` the ones that begin with QUERY."""

    data_dir: Path = Path("rollcall-data")
    host: str = "127.0.0.1"
    port: int = 8000
    keys: str | None = field(default=None, repr=False)
    custom_authority_url: str | None = None
    custom_graph_url: str | None = None
    custom_ca_file: Path | None = None
    log_level: str = "info"
    log_format: str = "json"
    graphiql: bool = True
    introspection: bool = True
    body_bytes_max: int = BODY_BYTES_CEILING
    request_timeout_s: float = 10.0
    response_cache_mib: int = 64
    cors_origins: tuple[str, ...] = ()
    alert_origins: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read every setting, or raise one error that lists each bad key and what it expects.

    Args:
        environment: names and values; the process's own when None.

    Raises:
        BadSettings: some keys are unknown or do not fit; `keys` holds one line a key, never a value.
    """
    if environment is None:
        import os

        environment = os.environ
    given = {key: value for key, value in environment.items() if key.startswith(PREFIX)}
    problems = list(_unknown(given))
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        try:
            values[setting.attribute] = _value(setting, given)
        except Unfit as unfit:
            problems.append(str(unfit) or f"{setting.key}: expected {setting.expected}")
    if not problems:
        problems.extend(_contradictions(values))
    if problems:
        raise BadSettings("The settings cannot be used: " + "; ".join(problems), keys=tuple(problems))
    limits = Limits(**{attribute: values.pop(name) for name, attribute in LIMITS.items()})
    return Settings(**values, limits=limits)


def outer_environment() -> dict[str, str]:
    """Return the environment without our settings, for a process that gets its own."""
    import os

    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _value(setting: Setting, given: Mapping[str, str]) -> Any:
    text = given.get(setting.key, "")
    file_key = setting.key + FILE_SUFFIX
    if setting.secret and given.get(file_key):
        if text:
            raise Unfit(f"{setting.key}: set it or {file_key}, not both")
        text = _read_secret(file_key, Path(given[file_key]).expanduser())
    # An empty variable is how Compose files and shells say "not set".
    return setting.parse(text.strip()) if text.strip() else setting.default


def _read_secret(key: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(SECRET_FILE_BYTES_MAX + 1)
        if len(content) > SECRET_FILE_BYTES_MAX:
            raise Unfit(f"{key}: expected a file of at most {SECRET_FILE_BYTES_MAX} bytes")
        return content.decode()
    except (OSError, ValueError):
        raise Unfit(f"{key}: expected a readable UTF-8 file") from None


def _known_keys() -> list[str]:
    keys = [setting.key for setting in SETTINGS]
    return keys + [setting.key + FILE_SUFFIX for setting in SETTINGS if setting.secret]


def _unknown(given: Iterable[str]) -> Iterable[str]:
    known = _known_keys()
    for key in sorted(set(given) - set(known)):
        close = difflib.get_close_matches(key, known, n=1)
        # The name itself may be a pasted secret; only names that look like one of ours are repeated.
        shown = key if re.fullmatch(r"[A-Z0-9_]{1,64}", key) else PREFIX + "…"
        yield f"{shown}: no such setting" + (f" (did you mean {close[0]}?)" if close else "")


def _contradictions(values: Mapping[str, Any]) -> Iterable[str]:
    if bool(values["custom_authority_url"]) != bool(values["custom_graph_url"]):
        yield f"{PREFIX}CUSTOM_AUTHORITY_URL and {PREFIX}CUSTOM_GRAPH_URL: expected both or neither"
    if values["custom_ca_file"] and not values["custom_graph_url"]:
        yield f"{PREFIX}CUSTOM_CA_FILE: expected only together with {PREFIX}CUSTOM_GRAPH_URL"


def settings_table() -> str:
    """Write the table of docs/settings.md: one row a setting, in the order of declaration."""
    lines = ["| Setting | Default | Expected | Meaning |", "|---|---|---|---|"]
    for setting in SETTINGS:
        default = setting.default_text if setting.default_text is not None else str(setting.default)
        names = f"`{setting.key}`" + (f" or `{setting.key}{FILE_SUFFIX}`" if setting.secret else "")
        lines.append(f"| {names} | {default} | {setting.expected} | {setting.description} |")
    return "\n".join(lines) + "\n"
