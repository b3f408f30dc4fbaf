"""What is not scanned unless somebody names it: this machine, its cloud's metadata, and addresses of many."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.errors import BadInput
from sync.scan.options import ScanOptions, check_options
from sync.scan.scanner.own import own_addresses
from sync.scan.special import NAMED_MAX, SPECIAL, check_special, without_own
from sync.scan.target import read_targets
from tests.sync.scan.network import Network

# One of each kind, and the ways to write IPv4 inside IPv6.
HIDDEN = [
    "127.0.0.1", "127.9.9.9", "127.0.0.0/8", "126.255.255.255-127.0.0.1", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1",
    "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "169.254.169.254", "::ffff:169.254.169.254", "fe80::1",
    "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "224.0.0.251", "ff02::1", "255.255.255.255", "240.0.0.1",
    "0.0.0.0/32", "::",
]  # fmt: skip
WIDE = ["0.0.0.0/0", "::/0"]
FIB = """Main:
  +-- 10.0.0.0/24 2 0 2
     |-- 10.0.0.0
        /24 link UNICAST
     |-- 10.0.0.5
        /32 host LOCAL
  |-- 10.0.0.255
     /32 link BROADCAST
"""
INET6 = "fd000000000000000000000000000005 04 40 00 82     eth0\nnonsense\n"


@pytest.mark.parametrize("scope", [None, WIDE], ids=["none", "all"])
@pytest.mark.parametrize("target", HIDDEN)
def test_special_address_is_refused_when_no_scope_names_it(target: str, scope: list[str] | None) -> None:
    """Neither a site without a scope nor one that allows everything names it; also in a bigger target."""
    with pytest.raises(BadInput, match="the site's scope does not name") as caught:
        check_options(ScanOptions((target,)) if "/8" not in target else ScanOptions(("127.0.0.0/16",)), scope)
    assert caught.value.hint and caught.value.facts["path"] == "targets"
    with pytest.raises(BadInput):
        check_special(read_targets(["10.0.0.1", target], "targets").spans, scope)


@pytest.mark.parametrize("kind", SPECIAL)
def test_special_address_is_allowed_when_a_scope_names_it(kind: str) -> None:
    """By its network, or by an entry that is not wide; the name of one is not the name of another."""
    for span in SPECIAL[kind].spans:
        one = str(next(iter(type(SPECIAL[kind])((span,)).addresses())))
        whole = str(type(SPECIAL[kind])((span,)))
        spans = read_targets([one], "targets").spans
        check_special(spans, [whole])
        check_special(spans, [one, *WIDE])
        with pytest.raises(BadInput):
            check_special(spans, ["10.0.0.0/8", *WIDE])


def test_own_addresses_are_those_of_the_kernel(tmp_path: Path) -> None:
    """Addresses of its interfaces and broadcast addresses of its networks; the networks themselves are not its own."""
    ipv4, ipv6 = tmp_path / "fib_trie", tmp_path / "if_inet6"
    ipv4.write_text(FIB)
    ipv6.write_text(INET6)
    assert str(own_addresses(ipv4, ipv6)) == "10.0.0.5, 10.0.0.255, fd00::5"
    assert own_addresses().covers("127.0.0.1")


@pytest.mark.parametrize(
    ("scope", "left_out"),
    [
        (None, "10.0.0.5, 10.0.0.255"),
        (["10.0.0.0/8"], "10.0.0.5, 10.0.0.255"),
        (["10.0.0.0/16"], ""),
        (["10.0.0.0/8", "10.0.0.5"], "10.0.0.255"),
    ],
)
def test_server_itself_is_left_out_when_no_scope_names_it(
    tmp_path: Path, scope: list[str] | None, left_out: str
) -> None:
    """A scan of the office leaves the server out that it runs on, unless an entry that is not wide holds it."""
    (tmp_path / "fib_trie").write_text(FIB)
    own = own_addresses(tmp_path / "fib_trie", tmp_path / "missing")
    office = read_targets(["10.0.0.0/24"], "targets").spans
    left, out = without_own(office, scope, own)
    assert str(out) == left_out and left.size == 256 - out.size
    assert NAMED_MAX == read_targets(["10.0.0.0/16"], "scope").spans.size


async def test_run_is_refused_when_a_name_leads_to_this_machine(network: Network) -> None:
    """A name is checked by what it leads to when the scan runs; a number in disguise is a name, too."""
    await network.allow()
    for target in ("localhost", "0x7f000001"):
        run = await network.run(await network.add_scan(target, ports="9"))
        (error,) = run.errors
        assert (run.status, error["code"]) == ("FAILED", "TARGETS_REFUSED"), target
        assert "the site's scope does not name" in error["message"] and error["hint"]
    assert await network.records() == {}


async def test_run_is_refused_when_the_site_lost_its_scope(network: Network) -> None:
    """A task that was made while a scope named loopback scans it no longer, whoever or whatever triggers it."""
    task = await network.add_scan("127.0.0.1-4", ports="9")
    await network.allow()
    run = await network.run(task)
    assert (run.status, run.errors[0]["code"]) == ("FAILED", "TARGETS_REFUSED")
    with pytest.raises(BadInput, match="loopback"):
        await network.add_scan("127.0.0.1", ports="9")
