"""The HTTP server: uvicorn in a thread of its own, on a port that is known to be ours before it starts."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
import time
from typing import Any

import structlog
import uvicorn

from slo_guard.clock import monotonic
from slo_guard.errors import StartError

_START_SECONDS = 5.0
_STOP_SECONDS = 3.0
_GRACEFUL_SECONDS = 1
_KEEP_ALIVE_SECONDS = 75

_log = structlog.get_logger(__name__)


class HttpServer:
    """Serves an ASGI app on ``host``:``port`` (port 0: any free one) from :meth:`start` to :meth:`stop`."""

    def __init__(self, app: Any, host: str = "127.0.0.1", port: int = 9469) -> None:
        self._app = app
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
        bound = self._bind()
        self._url = _url(bound)
        config = uvicorn.Config(
            self._quiet,
            interface="asgi3",
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, args=(self._server, bound), name="http", daemon=True)
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

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            return socket.create_server((self._host, self._port), family=family, backlog=128)
        except OSError as error:
            raise StartError(_why_not(error, self._host, self._port)) from None

    def _serve(self, server: uvicorn.Server, bound: socket.socket) -> None:
        try:
            server.run(sockets=[bound])
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


def _url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    # A wildcard address can be listened on, not gone to.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


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
