"""Special addresses: they are scanned only if the site's scope names them, not for a missing or wide scope.

Services of this machine and its cloud on loopback, link-local and metadata addresses trust connections from here.
Multicast and broadcast addresses reach many hosts. IPv6 forms that contain an IPv4 address are special as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync.errors import BadInput
from sync.scan.target import Spans, read_targets

NAMED_MAX = 65_536
"""A scope entry of at most so many addresses names each of them; a wider entry names no special address."""
_TEXT_CHARS_MAX = 200


def _spans(*texts: str) -> Spans:
    return read_targets(texts, "scope").spans


# Source: the registries of special-purpose addresses (RFC 6890), RFC 3927, 4291, 6052, 8215; documents of the clouds.
SPECIAL: dict[str, Spans] = {
    "loopback": _spans("127.0.0.0/8", "::1"),
    "link-local": _spans("169.254.0.0/16", "fe80::/10"),
    "multicast": _spans("224.0.0.0/4", "ff00::/8"),
    "broadcast or reserved": _spans("240.0.0.0/4"),
    "unspecified": _spans("0.0.0.0/8", "::"),
    "metadata of a cloud": _spans("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
    "IPv4 inside IPv6": _spans(
        "::2-::ffff:ffff", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"
    ),
}


def check_special(spans: Spans, scope: Sequence[str] | None, path: str = "targets") -> None:
    """Refuse special addresses that the site's scope does not name.

    Raises:
        BadInput: names them.
    """
    for kind, special in SPECIAL.items():
        touched = _common(spans, special)
        unnamed = touched.without(_named(scope, special)) if touched.size else touched
        if unnamed.size:
            text = str(unnamed)
            text = text if len(text) <= _TEXT_CHARS_MAX else f"{text[:_TEXT_CHARS_MAX]} ..."
            hint = "Exclude these addresses, or ask an administrator to add them to the site's scope."
            raise BadInput(
                f"The targets include {text} ({kind}), which the site's scope does not name.", hint=hint, path=path
            )


def without_own(spans: Spans, scope: Sequence[str] | None, own: Spans) -> tuple[Spans, Spans]:
    """Remove this machine's own addresses that the site's scope does not name; return the rest and the removed ones."""
    touched = _common(spans, own)
    for special in SPECIAL.values():  # `check_special` has let pass only those that the scope names.
        touched = touched.without(special)
    unnamed = touched.without(_named(scope, own)) if touched.size else touched
    return spans.without(unnamed), unnamed


def _common(one: Spans, other: Spans) -> Spans:
    return one.without(one.without(other))


def _named(scope: Sequence[str] | None, special: Spans) -> Spans:
    """Return the addresses of the scope entries that are not wide, or lie inside the special addresses."""
    entries = [_spans(text) for text in scope or ()]
    named = [entry for entry in entries if entry.size <= NAMED_MAX or not entry.without(special).size]
    return Spans.of(span for entry in named for span in entry.spans)
