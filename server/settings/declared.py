"""Declares every setting once: name, parser, default and description.

`settings_table` writes the table of `docs/settings.md`; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from schema.limit.limits import Bound, Limits, bounds
from server.settings import parse
from sync.entra.cloud import Cloud
from sync.entra.outbound import Outbound, Proxy
from sync.tasks.defaults import FULL_ROUND_DAYS, FULL_ROUND_DAYS_MAX, RUN_RETRIES, RUN_RETRIES_MAX

PREFIX = "ROLLCALL_"
FILE_SUFFIX = "_FILE"
BODY_BYTES_CEILING = 256 * 1024
REQUEST_TIMEOUT_CEILING_S = 10.0
RESPONSE_CACHE_CEILING_MIB = 4_096
ANSWER_CEILING_MIB, ANSWERS_CEILING_MIB = 1_024, 16_384
RATE_CEILING = 100_000_000


@dataclass(frozen=True)
class Setting:
    """One setting; `expected` completes the error "<key>: expected …"."""

    name: str
    parse: Callable[[str], Any]
    default: Any
    description: str
    expected: str
    secret: bool = False
    default_text: str | None = None
    # Whether to fall back on the variable of the same name without the prefix, such as HTTPS_PROXY.
    standard: bool = False

    @property
    def attribute(self) -> str:
        """The attribute's name on `Settings`."""
        return self.name.lower()

    @property
    def key(self) -> str:
        """The name of the environment variable."""
        return PREFIX + self.name


def setting(parse: Callable[[str], Any], default: Any, description: str, expected: str, **more: Any) -> Any:
    """Declare a field of `Settings`; the arguments are those of `Setting` without `name`, which is the field's name."""
    facts = {"parse": parse, "default": default, "description": description, "expected": expected, **more}
    return field(default=default, repr=not more.get("secret"), metadata=facts)


def _rate(default: int, description: str) -> Any:
    expected = f"a whole number from 0 to {RATE_CEILING}"
    return setting(parse.whole(0, RATE_CEILING), default, f"{description} 0 sets no limit.", expected)


def _proxy(scheme: str) -> Any:
    """Declare the proxy for addresses of one scheme."""
    return setting(
        parse.proxy,
        None,
        f"Proxy for {scheme.lower()}:// addresses; `direct` uses none, even if the environment names one.",
        "http(s)://[user:password@]host:port, or direct",
        secret=True,
        default_text=f"`{scheme}_PROXY` of the environment",
        standard=True,
    )


@dataclass(frozen=True)
class Settings:
    """The values of all settings."""

    data_dir: Path = setting(
        parse.path,
        Path("rollcall-data"),
        "Folder for the SQLite database, the key file, the lock file and the control socket.",
        "a path",
        default_text="./rollcall-data",
    )
    host: str = setting(parse.host, "127.0.0.1", "Address to listen on.", "an IP address or a host name")
    port: int = setting(parse.port, 8000, "Port to listen on; 0 takes a free one.", "a whole number from 0 to 65535")
    tls_cert_file: Path | None = setting(
        parse.path,
        None,
        "PEM file with the server's certificate and its chain; if it is set, the server accepts HTTPS only.",
        "a path",
        default_text="none, plain HTTP",
    )
    tls_key_file: Path | None = setting(
        parse.path,
        None,
        "PEM file with the certificate's private key, without a passphrase.",
        "a path",
        default_text="none",
    )
    trusted_proxies: tuple[str, ...] = setting(
        parse.networks,
        (),
        "Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` headers are trusted, separated by commas.",
        "IP addresses and networks",
        default_text="none",
    )
    keys: str | None = setting(
        parse.text,
        None,
        "Keys that seal stored secrets: `id:base64(32 bytes)`, separated by commas. The first seals, all can open.",
        "id:base64(32 bytes)[,…]",
        secret=True,
        default_text="a key file made in the data folder",
    )
    custom_authority_url: str | None = setting(
        parse.https_origin,
        None,
        "Sign-in origin of the `CUSTOM` cloud, for the simulator or a proxy of your own.",
        "an https:// origin without a path",
        default_text="none",
    )
    custom_graph_url: str | None = setting(
        parse.https_origin,
        None,
        "Microsoft Graph origin of the `CUSTOM` cloud.",
        "an https:// origin without a path",
        default_text="none",
    )
    ca_file: Path | None = setting(
        parse.path,
        None,
        "PEM file with further certificate authorities to trust, such as that of a proxy that inspects TLS.",
        "a path",
        default_text="none",
    )
    https_proxy: Proxy | None = _proxy("HTTPS")
    http_proxy: Proxy | None = _proxy("HTTP")
    no_proxy: tuple[str, ...] = setting(
        parse.no_proxy,
        (),
        "Hosts to reach without a proxy, separated by commas; loopback addresses never use one.",
        "host, .domain, IP address or network, each with or without `:port`; `*` for all",
        default_text="`NO_PROXY` of the environment",
        standard=True,
    )
    entra_tenant: str | None = setting(
        parse.guid,
        None,
        "Directory (tenant) id whose people may sign in to this server with access tokens.",
        "a GUID",
        default_text="none",
    )
    entra_client_id: str | None = setting(
        parse.guid,
        None,
        "Application (client) id that this server has in that directory: the audience of the tokens.",
        "a GUID",
        default_text="none",
    )
    entra_cloud: str = setting(
        parse.choice(*(cloud.lower() for cloud in Cloud)),
        "global",
        "The cloud of that directory.",
        ", ".join(cloud.lower() for cloud in Cloud),
    )
    custom_ca_file: Path | None = setting(
        parse.path,
        None,
        "PEM file with the certificate authority that issued the certificates of the `CUSTOM` cloud.",
        "a path",
        default_text="the machine's authorities",
    )
    log_level: str = setting(
        parse.choice("debug", "info", "warning", "error"),
        "info",
        "The lowest level of log lines to write.",
        "debug, info, warning or error",
    )
    log_format: str = setting(
        parse.choice("json", "text"), "json", "One JSON object a line, or text for people.", "json or text"
    )
    traces: bool = setting(
        parse.switch,
        False,
        "Send a span of each request by OpenTelemetry, as the `OTEL_*` variables say; needs the extra `otel`.",
        "on or off",
        default_text="off",
    )
    graphiql: bool = setting(parse.switch, True, "Serve GraphiQL at `/graphql`.", "on or off", default_text="on")
    introspection: bool = setting(
        parse.switch,
        True,
        "Answer `__schema` and `__type` to callers with a valid token.",
        "on or off",
        default_text="on",
    )
    body_bytes_max: int = setting(
        parse.whole(1024, BODY_BYTES_CEILING),
        BODY_BYTES_CEILING,
        "Largest request body, in bytes.",
        f"a whole number from 1024 to {BODY_BYTES_CEILING}",
    )
    request_timeout_s: float = setting(
        parse.seconds(0.1, REQUEST_TIMEOUT_CEILING_S),
        10.0,
        "Longest time one request may take, in seconds.",
        f"a number from 0.1 to {REQUEST_TIMEOUT_CEILING_S:g}",
        default_text="10",
    )
    head_timeout_s: float = setting(
        parse.seconds(0.1, 60),
        10.0,
        "Longest time that a connection may take to send the head of a request, in seconds.",
        "a number from 0.1 to 60",
        default_text="10",
    )
    keep_alive_s: int = setting(
        parse.whole(1, 600),
        30,
        "Longest time that an idle connection stays open between two requests, in seconds.",
        "a whole number from 1 to 600",
    )
    connections_max: int = setting(
        parse.whole(16, 65_536),
        4_096,
        "Most connections at once; at the limit, a new connection replaces an idle one.",
        "a whole number from 16 to 65536",
    )
    requests_per_token: int = _rate(30_000, "Requests a minute with one token.")
    requests_per_address: int = _rate(
        60_000, "Requests a minute from one address or IPv6 /64 network; a token's repeated requests are not counted."
    )
    failed_logins_per_address: int = _rate(10, "Requests a minute with a bad token from one address.")
    response_cache_mib: int = setting(
        parse.whole(0, RESPONSE_CACHE_CEILING_MIB),
        64,
        "Memory for cached answers, in MiB; a cached answer is sent again while nothing has changed. 0 caches none.",
        f"a whole number from 0 to {RESPONSE_CACHE_CEILING_MIB}",
        default_text="64",
    )
    full_round_days: int = setting(
        parse.whole(0, FULL_ROUND_DAYS_MAX),
        FULL_ROUND_DAYS,
        "Days after which a task reads its whole directory again, to repair what Graph's changes missed; 0 is never.",
        f"a whole number from 0 to {FULL_ROUND_DAYS_MAX}",
    )
    answer_mib: int = setting(
        parse.whole(1, ANSWER_CEILING_MIB),
        32,
        "Largest answer to one operation, in MiB; a larger answer is refused while it is built.",
        f"a whole number from 1 to {ANSWER_CEILING_MIB}",
    )
    answers_mib: int = setting(
        parse.whole(1, ANSWERS_CEILING_MIB),
        128,
        "Memory for all answers that are being built or sent, in MiB; a further answer waits, then fails with 503.",
        f"a whole number from 1 to {ANSWERS_CEILING_MIB}",
    )
    run_retries: int = setting(
        parse.whole(0, RUN_RETRIES_MAX),
        RUN_RETRIES,
        "Automatic retries in a row of a failed run whose task has no schedule; 0 is never.",
        f"a whole number from 0 to {RUN_RETRIES_MAX}",
    )
    cors_origins: tuple[str, ...] = setting(
        parse.origins,
        (),
        "Web origins whose pages may call the API, separated by commas; `*` is not accepted.",
        "http(s)://host[:port][,…]; never *",
        default_text="none",
    )
    cors_headers: tuple[str, ...] = setting(
        parse.header_names,
        (),
        "Request headers that pages of `ROLLCALL_CORS_ORIGINS` may send, beside those that GraphQL clients send.",
        "names of headers, separated by commas",
        default_text="none",
    )
    proxy_adds_token: bool = setting(
        parse.switch,
        False,
        "Set it if a proxy adds the token to requests: a GET then needs a header that makes browsers send a preflight.",
        "on or off",
        default_text="off",
    )
    alert_origins: tuple[str, ...] = setting(
        parse.origins,
        (),
        "Origins that webhooks may send alerts to, separated by commas; alerts to an `http://` origin are unencrypted.",
        "http(s)://host[:port][,…]; never *",
        default_text="nowhere",
    )
    documents: Path | None = setting(
        parse.path,
        None,
        "Trusted documents, which callers may name by id: a folder of `.graphql` files, or a JSON file.",
        "a path",
        default_text="none",
    )
    allow_list: Literal["off", "audit", "on"] = setting(
        parse.choice("off", "audit", "on"),
        "off",
        "`on` runs only the documents of `ROLLCALL_DOCUMENTS`; `audit` runs and logs all others, too.",
        "off, audit or on",
    )
    metrics_token: str | None = setting(
        parse.secret,
        None,
        "Bearer token for `/metrics`; without it, `/metrics` answers callers on this machine only.",
        "16 to 512 printable characters without blanks",
        secret=True,
        default_text="none",
    )
    limits: Limits = field(default_factory=Limits)

    @property
    def outbound(self) -> Outbound:
        """The proxies and certificate authorities of outgoing connections."""
        return Outbound(self.https_proxy, self.http_proxy, self.no_proxy, self.ca_file)


def _limit(bound: Bound) -> Setting:
    """Return the setting of a limit that schema/limit/limits.py declares."""
    return Setting(
        f"QUERY_{bound.attribute.upper()}_MAX",
        parse.whole(1, bound.ceiling),
        bound.value,
        bound.description,
        f"a whole number from 1 to {bound.ceiling}",
    )


LIMITS: dict[str, str] = {f"query_{bound.attribute}_max": bound.attribute for bound in bounds(Limits())}

SETTINGS: tuple[Setting, ...] = (
    *(Setting(entry.name.upper(), **entry.metadata) for entry in fields(Settings) if entry.metadata),
    *map(_limit, bounds(Limits())),
)


def settings_table() -> str:
    """Return the table of docs/settings.md: one row a setting, in the order of declaration."""
    lines = ["| Setting | Default | Expected | Meaning |", "|---|---|---|---|"]
    for setting in SETTINGS:
        default = setting.default_text if setting.default_text is not None else str(setting.default)
        names = f"`{setting.key}`" + (f" or `{setting.key}{FILE_SUFFIX}`" if setting.secret else "")
        lines.append(f"| {names} | {default} | {setting.expected} | {setting.description} |")
    return "\n".join(lines) + "\n"
