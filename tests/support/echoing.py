"""A peer that sends every secret back that it is sent, in every form and place that it can find."""

from __future__ import annotations

import base64
import html
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, quote_plus

from tests.support.http_sources import Reply, Request

STEPS = 9


def forms(secret: str) -> tuple[str, ...]:
    """Return how a secret can be written."""
    raw = secret.encode()
    encoded = base64.b64encode(raw).decode().rstrip("=")
    return tuple(
        dict.fromkeys(
            [
                *(secret, quote(secret, safe=""), quote_plus(secret), quote(secret), encoded),
                *(encoded.replace("+", "-").replace("/", "_"), json.dumps(secret)[1:-1], html.escape(secret)),
            ]
        )
    )


class Echo:
    """An ``answer`` of an ``HttpSource``: each request of a path is answered in another way, none of them good."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, request: Request) -> Reply:
        self.asked += 1
        given = [request.path.rpartition("/")[2]]
        for name in ("Authorization", "X-Api-Key"):
            value = request.headers.get(name, "")
            given += [value, value.partition(" ")[2]]
            if value.startswith("Basic "):
                given.append(base64.b64decode(value[6:]).decode().partition(":")[2])
        told = " ".join(form for each in given if each for form in forms(each))
        last = next(each for each in reversed(given) if each)
        match self.asked % STEPS:
            case 0:
                return Reply(f"who is {told}?".encode(), 401, {"WWW-Authenticate": f'Basic realm="{quote(last)}"'})
            case 1:
                return Reply(b"", 302, {"Location": f"ftp://elsewhere.invalid/{quote(last, safe='')}?t={quote(last)}"})
            case 2:
                return Reply(b"", 302, {"Location": f"https://elsewhere.invalid:1/{quote(last, safe='')}"})
            case 3:
                return Reply(json.dumps({"status": "error", "errorType": told, "error": told}).encode(), 422)
            case 4:
                return Reply(f"up{{{told} 1\n".encode())
            case 5:
                return Reply(json.dumps({"rows": [{form: form for form in forms(last)}]}).encode())
            case 6:
                return Reply(b"x", 200, {"Content-Encoding": base64.b64encode(last.encode()).decode()})
            case 7:
                return Reply(told.encode(), 500, {"Retry-After": quote(last), "Content-Type": quote(last)})
            case _:
                return Reply(told.encode(), 403, {"Content-Type": "application/json"})


@contextmanager
def echoing_postgres() -> Iterator[int]:
    """Give the port of what speaks PostgreSQL far enough to ask for a password and to send it back as an error."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_serve, args=(listening,), daemon=True).start()
        yield listening.getsockname()[1]


def _serve(listening: socket.socket) -> None:
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        with client:
            client.settimeout(5)
            try:
                _refuse(client)
            except OSError:
                continue


def _refuse(client: socket.socket) -> None:
    while True:
        (length,) = struct.unpack("!I", _exactly(client, 4))
        body = _exactly(client, length - 4)
        if body[:4] == struct.pack("!I", 196608):
            break
        client.sendall(b"N")  # neither TLS nor GSSAPI
    client.sendall(b"R" + struct.pack("!II", 8, 3))
    kind = _exactly(client, 1)
    (length,) = struct.unpack("!I", _exactly(client, 4))
    password = _exactly(client, length - 4).rstrip(b"\0").decode() if kind == b"p" else ""
    text = f"no such password {' '.join(forms(password))}; dsn postgresql://reader:{quote(password, safe='')}@db"
    fields = b"SFATAL\0C28P01\0M" + text.encode() + b"\0\0"
    client.sendall(b"E" + struct.pack("!I", len(fields) + 4) + fields)


def _exactly(client: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        piece = client.recv(size - len(got))
        if not piece:
            raise ConnectionError
        got += piece
    return got
