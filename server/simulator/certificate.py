"""The simulator's own CA and server certificate, stored in a directory; for demos and tests only."""

from __future__ import annotations

import os
from pathlib import Path

from trustme import CA

NAMES = ("localhost", "127.0.0.1", "::1")


def prepare_certificate(data_dir: Path, host: str) -> tuple[Path, Path]:
    """Return the CA file for clients and the file with the server's key and chain; both are made on first use.

    Args:
        data_dir: the folder, made when missing; only its owner can read the `.key.pem` files.
        host: a further name or address of the certificate.
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
