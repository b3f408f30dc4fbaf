"""The server's own TLS certificate: read at the start, and read again when its files have changed."""

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
        key_file: PEM.

    Raises:
        BadSettings: they cannot be used.
    """

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        self._files = (cert_file, key_file)
        self._seen = self._look()
        try:
            self.context = self._made()
        except (OSError, ValueError):
            raise BadSettings(
                "The TLS certificate and its key cannot be used.",
                hint="ROLLCALL_TLS_CERT_FILE and ROLLCALL_TLS_KEY_FILE name PEM files that belong together.",
            ) from None

    @classmethod
    def of(cls, settings: Settings) -> Certificate | None:
        """Return the operator's certificate; None if connections are in the clear."""
        if settings.tls_cert_file is None or settings.tls_key_file is None:
            return None
        return cls(settings.tls_cert_file, settings.tls_key_file)

    async def follow(self, clock: Clock) -> None:
        """Take a renewed certificate over, from now on."""
        while True:
            await clock.sleep(LOOK_S)
            self.renew()

    def renew(self) -> None:
        """Take the certificate over if its files have changed and fit; the old one stays otherwise."""
        if (seen := self._look()) == self._seen:
            return
        try:
            # Tried first: half a pair would leave the server without one.
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
    """Answer instead of the terminal, where a server would wait for ever."""
    raise ValueError("The key has a passphrase.")
