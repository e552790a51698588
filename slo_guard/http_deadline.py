"""Deadlines at the socket, below ``requests``, and gzip that notices when it was cut short.

``requests`` bounds a connect and each single read, not a whole answer: a server that sends a byte a second, be it in
its headers, could hold a thread for ever. Here each read is given what is left until the request's deadline.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from socket import socket
from typing import Any, Final

import urllib3
from requests.adapters import HTTPAdapter

from slo_guard.clock import monotonic

_BUFFER: Final = 1 << 18

_limits: ContextVar[tuple[float, float]] = ContextVar("http_limits")


@contextmanager
def reads_limited(ends: float, silence: float) -> Iterator[None]:
    """Let this thread's reads end at ``ends`` on the monotonic clock, and after ``silence`` seconds without a byte."""
    token = _limits.set((ends, silence))
    try:
        yield
    finally:
        _limits.reset(token)


class Gunzip:
    """A gzip stream of one or more members, inflated in pieces of at most 1 MiB so that a bomb is noticed early."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self.complete = True

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield what ``data`` adds; raises ``zlib.error`` for what is not gzip."""
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            yield self._member.decompress(data, 1 << 20)
            self.complete = self._member.eof
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail


class _DeadlineReader(io.RawIOBase):
    """A socket's bytes, each read bounded by what is left until the deadline of the request in this thread."""

    def __init__(self, sock: socket) -> None:
        super().__init__()
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        ends, silence = _limits.get()
        left = ends - monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        self._sock.settimeout(min(left, silence))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _DeadlineResponse(HTTPResponse):
    def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_DeadlineReader(sock), _BUFFER)


class _HttpConnection(urllib3.connection.HTTPConnection):
    response_class = _DeadlineResponse


class _HttpsConnection(urllib3.connection.HTTPSConnection):
    response_class = _DeadlineResponse


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


class DeadlineAdapter(HTTPAdapter):
    """A transport adapter whose connections read within :func:`reads_limited`."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make pools of such connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
