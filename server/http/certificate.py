"""The server's TLS certificate: read at the start, and again when its files change."""

from __future__ import annotations

import ssl
from pathlib import Path

import structlog

from server.settings import Settings
from sync.clock import Clock
from sync.errors import BadSettings

log = structlog.stdlib.get_logger("rollcall.server")

LOOK_S = 60.0
HANDSHAKE_S_MAX = 10.0


class Certificate:
    """A certificate and its key, for new connections.

    Args:
        cert_file: PEM, with the chain.
        key_file: PEM, without a passphrase.

    Raises:
        BadSettings: the files cannot be used.
    """

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        self._files = (cert_file, key_file)
        self._seen = self._look()
        try:
            self.context = self._made()
        except (OSError, ValueError):
            raise BadSettings(
                "The TLS certificate and its key cannot be used.",
                hint="Set ROLLCALL_TLS_CERT_FILE and ROLLCALL_TLS_KEY_FILE to readable PEM files of one key pair.",
            ) from None

    @classmethod
    def of(cls, settings: Settings) -> Certificate | None:
        """Return the operator's certificate; None to serve plain HTTP."""
        if settings.tls_cert_file is None or settings.tls_key_file is None:
            return None
        return cls(settings.tls_cert_file, settings.tls_key_file)

    async def follow(self, clock: Clock) -> None:
        """Check for a renewed certificate every `LOOK_S` seconds; never returns."""
        while True:
            await clock.sleep(LOOK_S)
            self.renew()

    def renew(self) -> None:
        """Load the certificate if its files have changed and can be used; otherwise keep the old one."""
        if (seen := self._look()) == self._seen:
            return
        try:
            # Try a new context first: half of a pair would leave the present context without a usable certificate.
            self._made()
            self.context.load_cert_chain(*self._files, password=_no_passphrase)
        except (OSError, ValueError) as error:
            log.warning("server.certificate_not_renewed", error=type(error).__name__)
            return
        self._seen = seen
        log.info("server.certificate_renewed")

    def _made(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self._files, password=_no_passphrase)
        return context

    def _look(self) -> list[tuple[int, int, int]]:
        found = [path.stat() for path in self._files if path.exists()]
        return [(one.st_mtime_ns, one.st_size, one.st_ino) for one in found]


def _no_passphrase() -> str:
    """Fail instead of asking for a passphrase at the terminal, where a server would wait forever."""
    raise ValueError("The key has a passphrase.")
