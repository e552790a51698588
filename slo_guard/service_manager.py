"""What the service manager is told: that the daemon is ready, alive, or stopping (systemd's protocol, sd_notify(3))."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress

from slo_guard.clock import monotonic


class ServiceManager:
    """Sends to the datagram socket at ``address``, if there is one; nobody who listens is no error.

    ``watchdog_seconds``: after so long without a sign of life it kills the process and starts it anew.
    """

    def __init__(
        self, address: str | None, watchdog_seconds: float | None, stopwatch: Callable[[], float] = monotonic
    ) -> None:
        self._address = address
        self._watchdog_seconds = watchdog_seconds
        self._stopwatch = stopwatch
        self._due = stopwatch()

    @classmethod
    def of(cls, environ: Mapping[str, str], pid: int) -> ServiceManager:
        """Return the one that started the process ``pid``, as its environment says."""
        microseconds, meant = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", str(pid)) == str(pid)
        watched = meant and microseconds.isdecimal() and int(microseconds) > 0
        return cls(environ.get("NOTIFY_SOCKET") or None, int(microseconds) / 1e6 if watched else None)

    def ready(self) -> None:
        """Say that the start has finished."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """Say that the stop has begun."""
        self._tell("STOPPING=1")

    def alive_if(self, alive: Callable[[float], bool]) -> None:
        """Give a sign of life twice within the watchdog's time, unless ``alive``, given that time, denies it."""
        if self._watchdog_seconds is None or self._stopwatch() < self._due:
            return
        self._due = self._stopwatch() + self._watchdog_seconds / 2
        if alive(self._watchdog_seconds):
            self._tell("WATCHDOG=1")

    def _tell(self, what: str) -> None:
        if self._address is None:
            return
        # An address that begins with @ is in the abstract name space, which begins with a zero byte.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
            sending.setblocking(False)
            sending.sendto(what.encode(), address)
