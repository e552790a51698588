"""An app that is asked in this process, without sockets: ten thousand requests in the time of a thousand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPHeaderDict, HTTPResponse

BASE = "http://127.0.0.1:9469"


class AppAdapter(BaseAdapter):
    """Sends what ``requests`` would send to an ASGI app; the client is a program on this machine."""

    def __init__(self, app: Any, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._app = app
        self._loop = loop

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:  # type: ignore[override]
        """Return the app's answer."""
        status, headers, body = self._loop.run_until_complete(self._asked(request))
        answer = requests.Response()
        answer.status_code = status
        answer.reason = HTTPStatus(status).phrase
        answer.headers = CaseInsensitiveDict(headers)
        answer.url, answer.request = request.url or "", request
        answer.raw = HTTPResponse(BytesIO(body), HTTPHeaderDict(headers), status, preload_content=False)
        answer._content = body
        return answer

    def close(self) -> None:
        """Do nothing: there is no connection."""

    async def _asked(self, request: requests.PreparedRequest) -> tuple[int, Mapping[str, str], bytes]:
        place = urlsplit(request.url or "")
        sent = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
        headers = [(b"host", place.netloc.encode())]
        headers += [(_bytes(name).lower(), _bytes(value)) for name, value in request.headers.items()]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": place.scheme,
            "path": unquote(place.path) or "/",
            "raw_path": place.path.encode(),
            "query_string": place.query.encode(),
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 40_000),
            "server": ("127.0.0.1", 9469),
        }
        incoming = [{"type": "http.request", "body": sent, "more_body": False}]
        outgoing: list[Any] = []

        async def receive() -> Any:
            return incoming.pop() if incoming else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            outgoing.append(message)

        await self._app(scope, receive, send)
        start = outgoing[0]
        body = b"".join(each.get("body", b"") for each in outgoing[1:])
        return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1", "replace")


def asking(app: Any, loop: asyncio.AbstractEventLoop, token: str | None = None) -> requests.Session:
    """Return a session whose requests to :data:`BASE` go to ``app``; with a ``token`` each of them carries it."""
    session = requests.Session()
    session.trust_env = False
    session.mount(BASE, AppAdapter(app, loop))
    if token is not None:
        session.headers["authorization"] = f"Bearer {token}"
    return session
