"""The HTTP server: uvicorn in a thread of its own, on a port that is known to be ours before it starts."""

from __future__ import annotations

import asyncio
import functools
import math
import socket
import threading
import time
from typing import Any

import structlog
import uvicorn
from anyio.to_thread import current_default_thread_limiter

from slo_guard.clock import monotonic
from slo_guard.errors import StartError
from slo_guard.expose.limits import RequestLimit, ServerLimits
from slo_guard.expose.listening import BoundedListener, ServingLoop, listen, make_room_for
from slo_guard.expose.protocol import protocol_within
from slo_guard.expose.tls import ServedCertificates

_START_SECONDS = 5.0
_STOP_SECONDS = 3.0
_GRACEFUL_SECONDS = 1
_WORKERS = 4
"""Threads that put answers together: more would only take more of the time of the thread that evaluates."""
_BEYOND_CONNECTIONS = 64
"""So many connections too many are told so; further ones are closed as they come."""

_log = structlog.get_logger(__name__)


class HttpServer:
    """Serves an ASGI app on ``host``:``port`` (port 0: any free one) from :meth:`start` to :meth:`stop`.

    With ``certificates`` it speaks HTTPS and nothing else. Each client is kept within ``limits``.
    """

    def __init__(
        self,
        app: Any,
        host: str = "127.0.0.1",
        port: int = 9469,
        *,
        limits: ServerLimits | None = None,
        certificates: ServedCertificates | None = None,
    ) -> None:
        self._limits = limits or ServerLimits()
        self._app = RequestLimit(app, self._limits)
        self._certificates = certificates
        self._host = host
        self._port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """Where it can be reached, such as ``http://127.0.0.1:9469``; known once started."""
        return self._url

    @property
    def running(self) -> bool:
        """Whether the serving thread lives."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Bind, and return once requests are answered; raises ``StartError`` that says what to do."""
        make_room_for(self._limits.max_connections)
        bound = listen(self._host, self._port)
        self._url = _url(bound, "http" if self._certificates is None else "https")
        listener = BoundedListener(bound, self._limits.max_connections + _BEYOND_CONNECTIONS)
        certificates = self._certificates
        config = uvicorn.Config(
            self._quiet,
            interface="asgi3",
            loop="none",
            http=protocol_within(self._limits),
            h11_max_incomplete_event_size=self._limits.max_head,
            ssl_context_factory=None if certificates is None else lambda *_: certificates.context,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=math.ceil(self._limits.idle_seconds),
            timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, args=(self._server, listener), name="http", daemon=True)
        self._thread.start()
        deadline = monotonic() + _START_SECONDS
        while not self._server.started and self._thread.is_alive() and monotonic() < deadline:
            time.sleep(0.002)
        if not self._server.started:
            raise StartError(f"the HTTP server on {self._url} did not start; its log line says why")
        _log.info("http_server_started", url=self._url)

    def stop(self) -> None:
        """Stop within about three seconds, whatever connections are open; idempotent.

        Requests that are being answered get a second to finish.
        """
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        server.should_exit = True
        thread.join(_STOP_SECONDS)
        if thread.is_alive():
            server.force_exit = True
            _log.warning("http_server_still_busy", url=self._url)
        self._server = self._thread = None

    def _serve(self, server: uvicorn.Server, bound: socket.socket) -> None:
        loop = functools.partial(ServingLoop, self._limits.head_seconds)
        try:
            with asyncio.Runner(loop_factory=loop) as runner:
                runner.run(_serving(server, bound))
        finally:
            bound.close()

    async def _quiet(self, scope: Any, receive: Any, send: Any) -> None:
        """Run the app; a request that the shutdown cuts short ends without a traceback in the log."""
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            server = self._server
            if server is not None and not server.should_exit:
                raise


async def _serving(server: uvicorn.Server, bound: socket.socket) -> None:
    current_default_thread_limiter().total_tokens = _WORKERS
    await server.serve(sockets=[bound])


def _url(bound: socket.socket, scheme: str) -> str:
    host, port = bound.getsockname()[:2]
    # A wildcard address can be listened on, not gone to.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
