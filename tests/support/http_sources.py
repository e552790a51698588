"""HTTP sources on loopback that behave, and others that misbehave in every way a source can."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from ssl import SSLContext
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """What a client sent; ``params`` of the query and of a form together."""

    method: str
    path: str
    headers: Mapping[str, str]
    params: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What the source answers."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a client that gave up is what many of these tests are about."""


class HttpSource:
    """A server whose ``answer`` may be replaced while it runs: a function of the request, to a Reply or a behaviour."""

    def __init__(self, answer: Callable[[Request], Any], tls: SSLContext | None = None) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.released = threading.Event()
        source = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body are two packets: the second would wait for the first one's acknowledgement, 40 ms each.
            disable_nagle_algorithm = True

            def _handle(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                pairs = parse_qs(parts.query) | parse_qs(body.decode("latin-1"))
                params = {name: values[0] for name, values in pairs.items()}
                request = Request(self.command, parts.path, dict(self.headers.items()), params, body)
                source.requests.append(request)
                outcome = source.answer(request)
                if isinstance(outcome, Reply):
                    self.send_response(outcome.status)
                    for name, value in outcome.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(outcome.body)))
                    self.end_headers()
                    self.wfile.write(outcome.body)
                else:
                    self.close_connection = True
                    outcome(self.connection, source.released)

            do_GET = do_POST = _handle  # noqa: N815 - the base class finds them by name

            def log_message(self, *args: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def http_source(answer: Callable[[Request], Any], tls: SSLContext | None = None) -> Iterator[HttpSource]:
    """Serve ``answer`` for the length of the block."""
    source = HttpSource(answer, tls)
    source.start()
    try:
        yield source
    finally:
        source.stop()


@contextmanager
def refusing_url() -> Iterator[str]:
    """Give a URL on which nobody listens: the port is bound but not listened on, so nobody else gets it either."""
    with socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}"


def always(reply: Any) -> Callable[[Request], Any]:
    """Return an answer that does not look at the request."""
    return lambda _request: reply


def html(status: int = 200) -> Reply:
    page = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n<body>Please sign in 1\n</body></html>\n"
    return Reply(page, status, {"Content-Type": "text/html"})


def hangs(_connection: socket, released: threading.Event) -> None:
    """Say nothing at all."""
    released.wait(30)


def trickles_headers(connection: socket, released: threading.Event) -> None:
    """Send the headers a byte at a time, without end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not released.wait(0.05):
        connection.sendall(b"a")


def trickles_body(connection: socket, released: threading.Event) -> None:
    """Send a body a byte at a time, without end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not released.wait(0.05):
        connection.sendall(b" ")


def never_ends(connection: socket, released: threading.Event) -> None:
    """Send a body as fast as it is taken, without end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not released.is_set():
        connection.sendall(b"up 1\n" * 10_000)


def cut_short(connection: socket, _released: threading.Event) -> None:
    """Promise more than is sent."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nup 1\n")


def disconnects(connection: socket, _released: threading.Event) -> None:
    """Hang up without an answer."""


def not_http(connection: socket, _released: threading.Event) -> None:
    """Speak another protocol."""
    connection.sendall(b"220 mail.example.org ESMTP\r\n")


def cut_gzip(body: bytes) -> Reply:
    """Return a gzip stream without its second half, whose length is right nevertheless."""
    packed = gzip.compress(body)
    return Reply(packed[: len(packed) // 2], 200, {"Content-Encoding": "gzip"})


def gzipped(body: bytes, **headers: str) -> Reply:
    return Reply(gzip.compress(body), 200, {"Content-Encoding": "gzip", **headers})
