"""The socket that is listened on, and the loop behind it: what is accepted is counted until it is closed."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
from collections.abc import Callable
from typing import Any

from slo_guard.errors import StartError

_BESIDE_CONNECTIONS = 256
"""File handles that the daemon needs for its store, its sources and its receivers."""


class BoundedListener(socket.socket):
    """Accepts ``most`` connections at a time and closes further ones at once.

    It counts from the accept on, so that those which never begin or end a TLS handshake count as well. Without a bound
    they would use up the file handles, and then collectors and the store fail.
    """

    def __init__(self, bound: socket.socket, most: int) -> None:
        super().__init__(bound.family, bound.type, bound.proto, fileno=bound.detach())
        self._most = most
        self._open = 0

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection that there is room for; raises ``BlockingIOError`` where there is none."""
        while True:
            accepted, address = super().accept()
            if self._open >= self._most:
                accepted.close()
                continue
            self._open += 1
            return _Counted(accepted, self._release), address

    def _release(self) -> None:
        self._open -= 1


class _Counted(socket.socket):
    """A connection that says once when it is closed."""

    def __init__(self, accepted: socket.socket, on_close: Callable[[], None]) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        self._on_close: Callable[[], None] | None = on_close

    def close(self) -> None:
        """Close it."""
        super().close()
        told, self._on_close = self._on_close, None
        if told is not None:
            told()


class ServingLoop(asyncio.SelectorEventLoop):
    """A loop whose servers give up a TLS handshake after ``handshake_seconds``; asyncio's own limit is a minute."""

    def __init__(self, handshake_seconds: float) -> None:
        super().__init__()
        self._handshake_seconds = handshake_seconds

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        """Create a server as asyncio does."""
        if options.get("ssl") is not None:
            options.setdefault("ssl_handshake_timeout", self._handshake_seconds)
        return await super().create_server(*args, **options)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound; raises ``StartError`` that says what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise StartError(_why_not(error, host, port)) from None


def make_room_for(connections: int) -> None:
    """Raise this process's limit on file handles as far as ``connections`` need it; raises ``StartError``."""
    needed = connections + _BESIDE_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise StartError(
            f"server.limits.max_connections: {connections} needs {needed} open files and this process may have {hard}; "
            "write a lower one, or raise the limit (ulimit -n, LimitNOFILE=)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _why_not(error: OSError, host: str, port: int) -> str:
    # The resolver's errors have negative numbers; socket.create_server hands them on without their class.
    if isinstance(error, socket.gaierror) or (error.errno or 0) < 0:
        return f"the host {host!r} to listen on cannot be resolved; write an address of this machine such as 127.0.0.1"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use; stop what listens there, or set another port to listen on"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine; listen on 127.0.0.1, or on 0.0.0.0 for all"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} on {host} may not be used by this user; set one above 1023 to listen on"
    return f"cannot listen on {host} port {port}: {error.strerror or type(error).__name__}"
