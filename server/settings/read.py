"""Reads the settings from `ROLLCALL_*`; no other module reads the environment.

An error never repeats a value, because it may be a secret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from schema.limit.limits import Limits
from server.settings import parse
from server.settings.declared import FILE_SUFFIX, LIMITS, PREFIX, SETTINGS, Setting, Settings
from sync.errors import BadSettings

SECRET_FILE_BYTES_MAX = 64 * 1024


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read every setting.

    Args:
        environment: names and values; None reads the process's own.

    Raises:
        BadSettings: lists every key that is unknown or whose value does not fit; `keys` holds one line a key.
    """
    if environment is None:
        import os

        environment = os.environ
    given = {key: value for key, value in environment.items() if key.startswith(PREFIX)}
    problems = list(_unknown(given))
    given |= {name: environment[name] for name in _standard_names() if name in environment}
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
    """Return the environment without `ROLLCALL_*`, for a child process with settings of its own."""
    import os

    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _value(setting: Setting, given: Mapping[str, str]) -> Any:
    text = given.get(setting.key, "")
    file_key = setting.key + FILE_SUFFIX
    if setting.secret and given.get(file_key):
        if text:
            raise parse.Unfit(f"{setting.key}: set it or {file_key}, not both")
        text = _read_secret(file_key, Path(given[file_key]).expanduser())
    # An empty variable counts as not set, as in Compose files and shells.
    if text.strip():
        return setting.parse(text.strip())
    for name in (setting.name.lower(), setting.name) if setting.standard else ():
        if text := given.get(name, "").strip():
            try:
                return setting.parse(text)
            except parse.Unfit:
                raise parse.Unfit(f"{name}: expected {setting.expected}; {setting.key} overrides it") from None
    return setting.default


def _read_secret(key: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(SECRET_FILE_BYTES_MAX + 1)
        if len(content) > SECRET_FILE_BYTES_MAX:
            raise parse.Unfit(f"{key}: expected a file of at most {SECRET_FILE_BYTES_MAX} bytes")
        return content.decode()
    except (OSError, ValueError):
        raise parse.Unfit(f"{key}: expected a readable UTF-8 file") from None


def _standard_names() -> Iterable[str]:
    """Yield the variables without our prefix, such as HTTPS_PROXY; lower case takes precedence, as in curl."""
    for setting in SETTINGS:
        if setting.standard:
            yield from (setting.name.lower(), setting.name)


def _known_keys() -> list[str]:
    keys = [setting.key for setting in SETTINGS]
    return keys + [setting.key + FILE_SUFFIX for setting in SETTINGS if setting.secret]


def _unknown(given: Iterable[str]) -> Iterable[str]:
    known = _known_keys()
    for key in sorted(set(given) - set(known)):
        close = difflib.get_close_matches(key, known, n=1)
        # Repeat only a name of the usual form: any other could be a pasted secret.
        shown = key if re.fullmatch(r"[A-Z0-9_]{1,64}", key) else PREFIX + "…"
        yield f"{shown}: no such setting" + (f" (did you mean {close[0]}?)" if close else "")


def _contradictions(values: Mapping[str, Any]) -> Iterable[str]:
    if bool(values["custom_authority_url"]) != bool(values["custom_graph_url"]):
        yield f"{PREFIX}CUSTOM_AUTHORITY_URL and {PREFIX}CUSTOM_GRAPH_URL: expected both or neither"
    if values["custom_ca_file"] and not values["custom_graph_url"]:
        yield f"{PREFIX}CUSTOM_CA_FILE: expected only together with {PREFIX}CUSTOM_GRAPH_URL"
    if bool(values["entra_tenant"]) != bool(values["entra_client_id"]):
        yield f"{PREFIX}ENTRA_TENANT and {PREFIX}ENTRA_CLIENT_ID: expected both or neither"
    if values["entra_cloud"] == "custom" and not values["custom_graph_url"]:
        yield f"{PREFIX}ENTRA_CLOUD: custom is expected only together with {PREFIX}CUSTOM_AUTHORITY_URL"
    if bool(values["tls_cert_file"]) != bool(values["tls_key_file"]):
        yield f"{PREFIX}TLS_CERT_FILE and {PREFIX}TLS_KEY_FILE: expected both or neither"
    if values["answers_mib"] < values["answer_mib"]:
        yield f"{PREFIX}ANSWERS_MIB: expected at least as much as {PREFIX}ANSWER_MIB"
    if values["allow_list"] != "off" and not values["documents"]:
        yield f"{PREFIX}ALLOW_LIST: expected only together with {PREFIX}DOCUMENTS"
