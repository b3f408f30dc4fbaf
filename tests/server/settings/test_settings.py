"""Settings: one declaration each, every mistake told at once, no value ever repeated."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from schema.limit.limits import Limits, bounds
from server.settings import Settings, read_settings
from server.settings.declared import SETTINGS, settings_table
from sync.entra.outbound import Proxy
from sync.errors import BadSettings

CANARY = "canary-value"
DOCUMENT = Path(__file__).parents[3] / "docs" / "settings.md"


def test_settings_have_their_defaults_when_nothing_is_set() -> None:
    """An empty environment is a working one."""
    assert read_settings({}) == Settings()
    assert read_settings({f"ROLLCALL_{s.name}": "" for s in SETTINGS}) == Settings()


def test_settings_mirror_their_declarations() -> None:
    """Each declaration has its field with the same default, and the other way round."""
    fields = {field.name: field.default for field in dataclasses.fields(Settings) if field.name != "limits"}
    fields |= {f"query_{name}_max": value for name, value in dataclasses.asdict(Settings().limits).items()}
    assert fields == {setting.attribute: setting.default for setting in SETTINGS}


def test_document_holds_the_table_of_the_declarations() -> None:
    """docs/settings.md cannot fall behind the code."""
    text = DOCUMENT.read_text()
    start = text.index("-->", text.index("<!-- settings:")) + len("-->\n")
    assert text[start : text.index("<!-- end of settings -->")] == settings_table()


GOOD = [
    ("DATA_DIR", "/var/lib/rollcall", Path("/var/lib/rollcall")),
    ("HOST", "0.0.0.0", "0.0.0.0"),  # noqa: S104 - read, not bound
    ("HOST", "::1", "::1"),
    ("HOST", "inventory.example", "inventory.example"),
    ("PORT", "0", 0),
    ("PORT", "65535", 65535),
    ("LOG_LEVEL", "DEBUG", "debug"),
    ("LOG_FORMAT", "text", "text"),
    ("GRAPHIQL", "off", False),
    ("INTROSPECTION", "Off", False),
    ("BODY_BYTES_MAX", "262144", 262_144),
    ("REQUEST_TIMEOUT_S", "2.5", 2.5),
    ("CORS_ORIGINS", "https://a.example, http://B.example:8080", ("https://a.example", "http://b.example:8080")),
    ("KEYS", " a:b ", "a:b"),
    ("TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1,::1", ("10.0.0.0/8", "192.0.2.1/32", "::1/128")),
    ("HEAD_TIMEOUT_S", "0.5", 0.5),
    ("REQUESTS_PER_TOKEN", "0", 0),
    ("METRICS_TOKEN", "0123456789abcdef", "0123456789abcdef"),
    ("CA_FILE", "/etc/proxy.pem", Path("/etc/proxy.pem")),
    ("HTTPS_PROXY", "http://proxy.example:3128", Proxy("http://proxy.example:3128")),
    ("HTTP_PROXY", "direct", None),
    ("NO_PROXY", "10.0.0.0/8, .Corp.example", ("10.0.0.0/8", ".corp.example")),
]


def test_limit_is_read_into_the_limits_up_to_its_ceiling() -> None:
    """A limit of schema/limit/limits.py has a setting of its own, which no value raises beyond the ceiling."""
    for bound in bounds(Limits()):
        key = f"ROLLCALL_QUERY_{bound.attribute.upper()}_MAX"
        assert getattr(read_settings({key: "1"}).limits, bound.attribute) == 1
        assert getattr(read_settings({key: str(bound.ceiling)}).limits, bound.attribute) == bound.ceiling
        with pytest.raises(BadSettings, match=f"{key}: expected a whole number from 1 to {bound.ceiling}"):
            read_settings({key: str(bound.ceiling + 1)})


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_setting_is_read(name: str, text: str, value: object) -> None:
    """A good value arrives in its own type."""
    assert getattr(read_settings({f"ROLLCALL_{name}": text}), name.lower()) == value


BAD = [
    ("HOST", f"{CANARY}/x"),
    ("HOST", f"http://{CANARY}"),
    ("PORT", CANARY),
    ("PORT", "65536"),
    ("PORT", "-1"),
    ("PORT", "٨٠"),
    ("CUSTOM_AUTHORITY_URL", f"http://{CANARY}"),
    ("CUSTOM_AUTHORITY_URL", f"https://user:{CANARY}@host"),
    ("CUSTOM_GRAPH_URL", f"https://host/{CANARY}"),
    ("LOG_LEVEL", CANARY),
    ("LOG_FORMAT", CANARY),
    ("GRAPHIQL", "true"),
    ("BODY_BYTES_MAX", "262145"),
    ("BODY_BYTES_MAX", "1023"),
    ("BODY_BYTES_MAX", "2e4"),
    ("REQUEST_TIMEOUT_S", "11"),
    ("REQUEST_TIMEOUT_S", "0"),
    ("REQUEST_TIMEOUT_S", "nan"),
    ("CORS_ORIGINS", "*"),
    ("CORS_ORIGINS", "https://a.example/path"),
    ("CORS_ORIGINS", "null"),
    ("KEYS_FILE", f"/nowhere/{CANARY}"),
    ("TRUSTED_PROXIES", "*"),
    ("TRUSTED_PROXIES", "10.0.0.1/8"),
    ("TRUSTED_PROXIES", "proxy.example"),
    ("HEAD_TIMEOUT_S", "61"),
    ("CONNECTIONS_MAX", "15"),
    ("REQUESTS_PER_ADDRESS", "-1"),
    ("ALLOW_LIST", CANARY),
    ("METRICS_TOKEN", CANARY),
    ("METRICS_TOKEN", f"{CANARY} with blanks"),
]


@pytest.mark.parametrize(("name", "text"), BAD)
def test_setting_is_refused_without_repeating_it_when_it_does_not_fit(name: str, text: str) -> None:
    """The error names the key and what is expected, never the value."""
    with pytest.raises(BadSettings) as caught:
        read_settings({f"ROLLCALL_{name}": text})
    assert f"ROLLCALL_{name}: expected" in caught.value.message
    assert CANARY not in caught.value.message


def test_every_bad_setting_is_told_at_once() -> None:
    """One error lists them all."""
    with pytest.raises(BadSettings) as caught:
        read_settings({"ROLLCALL_PORT": "x", "ROLLCALL_GRAPHIQL": "x", "ROLLCALL_LOG_LEVL": "info"})
    keys = caught.value.facts["keys"]
    assert isinstance(keys, tuple)
    assert len(keys) == 3


def test_unknown_setting_is_refused_with_a_suggestion() -> None:
    """A typing mistake cannot silently leave the default in place; foreign names are none of our business."""
    with pytest.raises(BadSettings, match=r"ROLLCALL_PROT: no such setting.*ROLLCALL_PORT"):
        read_settings({"ROLLCALL_PROT": "1"})
    with pytest.raises(BadSettings) as caught:
        read_settings({f"ROLLCALL_{CANARY}": "1"})
    assert CANARY not in caught.value.message
    assert read_settings({"PORT": "x", "OTHER_PORT": "x"}) == Settings()


def test_secret_is_read_from_its_file(tmp_path: Path) -> None:
    """KEYS_FILE stands for KEYS, without the final newline; both at once are an error."""
    path = tmp_path / "keys"
    path.write_text(f"k1:{CANARY}\n")
    assert read_settings({"ROLLCALL_KEYS_FILE": str(path)}).keys == f"k1:{CANARY}"
    with pytest.raises(BadSettings, match="not both"):
        read_settings({"ROLLCALL_KEYS_FILE": str(path), "ROLLCALL_KEYS": CANARY})
    path.write_bytes(b"x" * 70_000)
    with pytest.raises(BadSettings, match="ROLLCALL_KEYS_FILE: expected a file of at most"):
        read_settings({"ROLLCALL_KEYS_FILE": str(path)})


def test_proxy_of_the_environment_counts_when_ours_is_not_set(tmp_path: Path) -> None:
    """As other programs read it, in lower case first; ours overrides it, and `direct` switches it off."""
    standard = {"HTTPS_PROXY": "http://upper.example:1", "no_proxy": "corp.example"}
    found = read_settings(standard)
    assert (found.https_proxy, found.no_proxy) == (Proxy("http://upper.example:1"), ("corp.example",))
    assert read_settings(standard | {"https_proxy": "lower.example:2"}).https_proxy == Proxy("http://lower.example:2")
    assert read_settings(standard | {"ROLLCALL_HTTPS_PROXY": "direct"}).https_proxy is None
    path = tmp_path / "given-proxy"
    path.write_text(f"http://ann:{CANARY}@ours.example:3\n")
    ours = read_settings(standard | {"ROLLCALL_HTTPS_PROXY_FILE": str(path)})
    assert ours.https_proxy == Proxy("http://ours.example:3", ("ann", CANARY))
    assert CANARY not in repr(ours) and CANARY not in repr(ours.outbound)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy", "ROLLCALL_HTTPS_PROXY"])
def test_proxy_is_refused_by_its_name_alone_when_it_cannot_be_used(name: str) -> None:
    """A proxy that we cannot speak to is told at the start; its password is not."""
    with pytest.raises(BadSettings, match=rf"{name}: expected http") as caught:
        read_settings({name: f"socks5://q7user:{CANARY}@proxy.example:1"})
    assert CANARY not in caught.value.message and "q7user" not in caught.value.message


def test_secret_is_not_shown_by_repr() -> None:
    """A settings object in a log or traceback shows no key."""
    assert CANARY not in repr(read_settings({"ROLLCALL_KEYS": CANARY}))


def test_settings_that_need_each_other_are_asked_for_together() -> None:
    """A certificate without its key, or an allow-list without documents, is an error."""
    for key in ("TLS_CERT_FILE", "TLS_KEY_FILE"):
        with pytest.raises(BadSettings, match="TLS_CERT_FILE and ROLLCALL_TLS_KEY_FILE: expected both or neither"):
            read_settings({f"ROLLCALL_{key}": "/a.pem"})
    for mode in ("on", "audit"):
        with pytest.raises(BadSettings, match="ROLLCALL_ALLOW_LIST: expected only together"):
            read_settings({"ROLLCALL_ALLOW_LIST": mode})


def test_custom_cloud_needs_both_origins() -> None:
    """Half a custom cloud is an error, a certificate file without one too."""
    one = {"ROLLCALL_CUSTOM_GRAPH_URL": "https://localhost:8443"}
    with pytest.raises(BadSettings, match="both or neither"):
        read_settings(one)
    with pytest.raises(BadSettings, match="ROLLCALL_CUSTOM_CA_FILE"):
        read_settings({"ROLLCALL_CUSTOM_CA_FILE": "/ca.pem"})
    both = read_settings({**one, "ROLLCALL_CUSTOM_AUTHORITY_URL": "https://localhost:8443/"})
    assert both.custom_authority_url == both.custom_graph_url == "https://localhost:8443"
