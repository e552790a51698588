"""The certificate that is served: renewed files are taken up without a restart, and without a gap."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import structlog

from slo_guard.certificates import Certificates
from slo_guard.clock import monotonic

log = structlog.get_logger(__name__)

_LOOK_AGAIN_SECONDS = 5.0


class ServedCertificates:
    """A context for the listener, whose certificate, authorities and versions can be replaced while it listens.

    At each handshake it looks, every five seconds at most, whether the files have changed; files that cannot be used
    are logged once, and what was served goes on. Raises ``ValueError`` where the files cannot be used at the start.
    """

    def __init__(self, certificates: Certificates, stopwatch: Callable[[], float] = monotonic) -> None:
        self._stopwatch = stopwatch
        self._certificates = certificates
        self._seen = _state_of(certificates)
        self._looked_at = stopwatch()
        self.context = certificates.context()
        """What the listener wraps its connections with."""
        self._current = self.context
        self.context.sni_callback = self._choose

    def follow(self, certificates: Certificates) -> None:
        """Serve these from the next connection on; raises ``ValueError``, and then nothing has changed."""
        seen = _state_of(certificates)
        current = certificates.context()
        self._certificates, self._seen = certificates, seen
        # Whether a client is asked for its certificate is decided before the callback, by the listener's own context.
        self.context.verify_mode = current.verify_mode
        self.context.minimum_version = current.minimum_version
        self._current = current

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        self._look_again()
        connection.context = self._current

    def _look_again(self) -> None:
        now = self._stopwatch()
        if now - self._looked_at < _LOOK_AGAIN_SECONDS:
            return
        self._looked_at = now
        seen = _state_of(self._certificates)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self.follow(self._certificates)
        except ValueError as error:
            log.error("certificate_not_taken", error=str(error))
        else:
            log.info("certificate_renewed", file=str(self._certificates.cert_file))


def _state_of(certificates: Certificates) -> tuple[tuple[int, int, int] | None, ...]:
    return tuple(map(_state_of_file, certificates.files))


def _state_of_file(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
