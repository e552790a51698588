"""A small HTTP server on loopback, in threads of its own: what the demo's stand-ins answer through."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

_LONGEST_BODY = 10_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """A request: ``target`` is the path with its query string."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """What to answer."""

    status: HTTPStatus
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


class LoopbackServer:
    """Answers every request on a free port of 127.0.0.1 with what ``respond`` returns; use it as a context manager.

    ``respond`` is called in several threads at once.
    """

    def __init__(self, respond: Callable[[Request], Response]) -> None:
        self._respond = respond
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The server's address; only while it runs."""
        assert self._server is not None, "the server has not been started"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._respond))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="loopback", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


def _handler(respond: Callable[[Request], Response]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30
        # Headers and body are two packets: the second would wait for the first one's acknowledgement, 40 ms each time.
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            length = min(int(self.headers.get("Content-Length") or 0), _LONGEST_BODY)
            request = Request(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
            response = respond(request)
            self.send_response(response.status)
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(len(response.body)))
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(response.body)

        do_GET = _answer  # noqa: N815 - the name that http.server calls
        do_POST = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of http.server
            """Keep the terminal for what the demo shows."""

    return Handler
