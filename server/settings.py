"""Every setting, declared once and read from `ROLLCALL_*`; no other module reads the environment.

A value is never echoed, because it may be a secret.

`docs/settings.md` holds the table that `settings_table` writes; a test compares the two.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from schema.limits import Bound, Limits, bounds
from server import parse
from sync.errors import BadSettings

PREFIX = "ROLLCALL_"
FILE_SUFFIX = "_FILE"
BODY_BYTES_CEILING = 256 * 1024
REQUEST_TIMEOUT_CEILING_S = 10.0
RESPONSE_CACHE_CEILING_MIB = 4_096
RATE_CEILING = 100_000_000
SECRET_FILE_BYTES_MAX = 64 * 1024


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


def _limit(bound: Bound) -> Setting:
    """Make the setting of a limit that schema/limits.py declares."""
    return Setting(
        f"QUERY_{bound.attribute.upper()}_MAX",
        parse.whole(1, bound.ceiling),
        bound.value,
        bound.description,
        f"a whole number from 1 to {bound.ceiling}",
    )


def _rate(name: str, default: int, description: str) -> Setting:
    """Make the setting of a rate limit."""
    expected = f"a whole number from 0 to {RATE_CEILING}"
    return Setting(name, parse.whole(0, RATE_CEILING), default, f"{description} 0 sets no limit.", expected)


LIMITS: dict[str, str] = {f"query_{bound.attribute}_max": bound.attribute for bound in bounds(Limits())}

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "DATA_DIR",
        parse.path,
        Path("rollcall-data"),
        "Folder for the SQLite database, the key file, the lock file and the control socket.",
        "a path",
        default_text="./rollcall-data",
    ),
    Setting("HOST", parse.host, "127.0.0.1", "Address to listen on.", "an IP address or a host name"),
    Setting("PORT", parse.port, 8000, "Port to listen on; 0 takes a free one.", "a whole number from 0 to 65535"),
    Setting(
        "TLS_CERT_FILE",
        parse.path,
        None,
        "PEM file with the server's certificate and its chain; with it the server speaks HTTPS alone.",
        "a path",
        default_text="none, plain HTTP",
    ),
    Setting(
        "TLS_KEY_FILE",
        parse.path,
        None,
        "PEM file with the certificate's private key, without a passphrase.",
        "a path",
        default_text="none",
    ),
    Setting(
        "TRUSTED_PROXIES",
        parse.networks,
        (),
        "Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, separated by commas.",
        "IP addresses and networks",
        default_text="none",
    ),
    Setting(
        "KEYS",
        parse.text,
        None,
        "Keys that seal stored secrets: `id:base64(32 bytes)`, separated by commas; the first seals, all open.",
        "id:base64(32 bytes)[,…]",
        secret=True,
        default_text="a key file made in the data folder",
    ),
    Setting(
        "CUSTOM_AUTHORITY_URL",
        parse.https_origin,
        None,
        "Sign-in origin of the `CUSTOM` cloud, for the simulator or a proxy of your own.",
        "an https:// origin without a path",
        default_text="none",
    ),
    Setting(
        "CUSTOM_GRAPH_URL",
        parse.https_origin,
        None,
        "Microsoft Graph origin of the `CUSTOM` cloud.",
        "an https:// origin without a path",
        default_text="none",
    ),
    Setting(
        "CUSTOM_CA_FILE",
        parse.path,
        None,
        "PEM file with the certificate authority that the `CUSTOM` cloud's certificates come from.",
        "a path",
        default_text="the machine's authorities",
    ),
    Setting(
        "LOG_LEVEL",
        parse.choice("debug", "info", "warning", "error"),
        "info",
        "The least urgent log line to write.",
        "debug, info, warning or error",
    ),
    Setting(
        "LOG_FORMAT",
        parse.choice("json", "text"),
        "json",
        "One JSON object a line, or text for people.",
        "json or text",
    ),
    Setting("GRAPHIQL", parse.switch, True, "Serve GraphiQL at `/graphql`.", "on or off", default_text="on"),
    Setting(
        "INTROSPECTION",
        parse.switch,
        True,
        "Answer `__schema` and `__type` to callers with a valid token.",
        "on or off",
        default_text="on",
    ),
    Setting(
        "BODY_BYTES_MAX",
        parse.whole(1024, BODY_BYTES_CEILING),
        BODY_BYTES_CEILING,
        "Largest request body, in bytes.",
        f"a whole number from 1024 to {BODY_BYTES_CEILING}",
    ),
    Setting(
        "REQUEST_TIMEOUT_S",
        parse.seconds(0.1, REQUEST_TIMEOUT_CEILING_S),
        10.0,
        "Longest time one request may take, in seconds.",
        f"a number from 0.1 to {REQUEST_TIMEOUT_CEILING_S:g}",
        default_text="10",
    ),
    Setting(
        "HEAD_TIMEOUT_S",
        parse.seconds(0.1, 60),
        10.0,
        "Longest time a new connection, or the head of a request, may take, in seconds.",
        "a number from 0.1 to 60",
        default_text="10",
    ),
    Setting(
        "KEEP_ALIVE_S",
        parse.whole(1, 600),
        30,
        "How long a connection stays open between two requests, in seconds.",
        "a whole number from 1 to 600",
    ),
    Setting(
        "CONNECTIONS_MAX",
        parse.whole(16, 65_536),
        4_096,
        "Connections open at once; one more takes the place of one that sends nothing.",
        "a whole number from 16 to 65536",
    ),
    _rate("REQUESTS_PER_TOKEN", 30_000, "Requests a minute of one token."),
    _rate("REQUESTS_PER_ADDRESS", 60_000, "Requests a minute from one address, a /64 network of IPv6."),
    _rate("FAILED_LOGINS_PER_ADDRESS", 10, "Requests a minute with a bad token from one address."),
    Setting(
        "RESPONSE_CACHE_MIB",
        parse.whole(0, RESPONSE_CACHE_CEILING_MIB),
        64,
        "Memory for answers that are given again while nothing has changed, in MiB; 0 keeps none.",
        f"a whole number from 0 to {RESPONSE_CACHE_CEILING_MIB}",
        default_text="64",
    ),
    Setting(
        "CORS_ORIGINS",
        parse.origins,
        (),
        "Web origins whose pages may call the API, separated by commas; `*` is not accepted.",
        "http(s)://host[:port][,…]; never *",
        default_text="none",
    ),
    Setting(
        "ALERT_ORIGINS",
        parse.origins,
        (),
        "Where webhooks may send alerts to, separated by commas; an `http://` origin sends them in the clear.",
        "http(s)://host[:port][,…]; never *",
        default_text="nowhere",
    ),
    Setting(
        "DOCUMENTS",
        parse.path,
        None,
        "Documents that callers may name by id: a folder of `.graphql` files, or a JSON file.",
        "a path",
        default_text="none",
    ),
    Setting(
        "ALLOW_LIST",
        parse.choice("off", "audit", "on"),
        "off",
        "Run only the documents of `ROLLCALL_DOCUMENTS` (on), or log which others are sent (audit).",
        "off, audit or on",
    ),
    Setting(
        "METRICS_TOKEN",
        parse.secret,
        None,
        "Bearer token that `/metrics` asks for; without one it answers callers of this machine alone.",
        "16 to 512 printable characters without blanks",
        secret=True,
        default_text="none",
    ),
    *map(_limit, bounds(Limits())),
)


@dataclass(frozen=True)
class Settings:
    """What the operator decided; the fields mirror `SETTINGS`, those of `limits` the ones that begin with QUERY."""

    data_dir: Path = Path("rollcall-data")
    host: str = "127.0.0.1"
    port: int = 8000
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    trusted_proxies: tuple[str, ...] = ()
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
    head_timeout_s: float = 10.0
    keep_alive_s: int = 30
    connections_max: int = 4_096
    requests_per_token: int = 30_000
    requests_per_address: int = 60_000
    failed_logins_per_address: int = 10
    response_cache_mib: int = 64
    cors_origins: tuple[str, ...] = ()
    alert_origins: tuple[str, ...] = ()
    documents: Path | None = None
    allow_list: Literal["off", "audit", "on"] = "off"
    metrics_token: str | None = field(default=None, repr=False)
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
        except parse.Unfit as unfit:
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
            raise parse.Unfit(f"{setting.key}: set it or {file_key}, not both")
        text = _read_secret(file_key, Path(given[file_key]).expanduser())
    # An empty variable is how Compose files and shells say "not set".
    return setting.parse(text.strip()) if text.strip() else setting.default


def _read_secret(key: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(SECRET_FILE_BYTES_MAX + 1)
        if len(content) > SECRET_FILE_BYTES_MAX:
            raise parse.Unfit(f"{key}: expected a file of at most {SECRET_FILE_BYTES_MAX} bytes")
        return content.decode()
    except (OSError, ValueError):
        raise parse.Unfit(f"{key}: expected a readable UTF-8 file") from None


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
    if bool(values["tls_cert_file"]) != bool(values["tls_key_file"]):
        yield f"{PREFIX}TLS_CERT_FILE and {PREFIX}TLS_KEY_FILE: expected both or neither"
    if values["allow_list"] != "off" and not values["documents"]:
        yield f"{PREFIX}ALLOW_LIST: expected only together with {PREFIX}DOCUMENTS"


def settings_table() -> str:
    """Write the table of docs/settings.md: one row a setting, in the order of declaration."""
    lines = ["| Setting | Default | Expected | Meaning |", "|---|---|---|---|"]
    for setting in SETTINGS:
        default = setting.default_text if setting.default_text is not None else str(setting.default)
        names = f"`{setting.key}`" + (f" or `{setting.key}{FILE_SUFFIX}`" if setting.secret else "")
        lines.append(f"| {names} | {default} | {setting.expected} | {setting.description} |")
    return "\n".join(lines) + "\n"
