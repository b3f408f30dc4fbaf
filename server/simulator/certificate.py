"""The simulator's own CA and server certificate, kept in a directory; never for anything but demos and tests."""

from __future__ import annotations

import os
from pathlib import Path

from trustme import CA

NAMES = ("localhost", "127.0.0.1", "::1")


def prepare_certificate(data_dir: Path, host: str) -> tuple[Path, Path]:
    """Return the CA file to trust and the server's key with its chain, made on first use.

    Args:
        data_dir: made when missing; `ca.pem` is what a client needs, the `.key.pem` files are for the owner's eyes.
        host: a further name or address that the certificate is valid for.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    ca_file, ca_key = data_dir / "ca.pem", data_dir / "ca.key.pem"
    server_file = data_dir / f"server-{host.replace(':', '_')}.key.pem"
    if ca_file.exists() and ca_key.exists():
        authority = CA.from_pem(ca_file.read_bytes(), ca_key.read_bytes())
    else:
        authority = CA(organization_name="Rollcall simulator")
        _write_private(ca_key, authority.private_key_pem.bytes())
        ca_file.write_bytes(authority.cert_pem.bytes())
        server_file.unlink(missing_ok=True)
    if not server_file.exists():
        leaf = authority.issue_cert(*dict.fromkeys((*NAMES, host)))
        _write_private(server_file, leaf.private_key_and_cert_chain_pem.bytes())
    return ca_file, server_file


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
