"""What every HTTP answer obeys: security headers, errors as problem JSON, and no reload for foreign web pages."""

from __future__ import annotations

import ipaddress
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class SecurityHeaders:
    """ASGI middleware that adds headers to every answer, keeping those that the answer has."""

    def __init__(self, app: ASGIApp, style_hash: str) -> None:
        self._app = app
        policy = (
            f"default-src 'none'; style-src '{style_hash}'; img-src data:; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'"
        )
        self._headers = [
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"DENY"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"cache-control", b"no-store"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers to its answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(header for header in self._headers if header[0] not in present),
                ]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def why_cross_site(request: Request) -> str | None:
    """Return why this request may come from a foreign web page; None when it does not.

    Browsers name themselves by ``Origin`` and ``Sec-Fetch-Site``; curl and scripts send neither and pass. A page
    whose own name was pointed at the loopback address (DNS rebinding) looks like the same origin, so there a
    browser must have asked for an address or for localhost.
    """
    origin, fetch_site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if fetch_site not in (None, "same-origin", "none"):
        return f"it was sent by a page of another site (Sec-Fetch-Site: {fetch_site})"
    if origin is None and fetch_site is None:
        return None
    host = request.headers.get("host", "")
    if origin is not None and _place(origin) != host.lower():
        return "it was sent by a page of another origin than this server"
    server = request.scope.get("server")
    if server is not None and _is_loopback(server[0]) and not _is_local_name(host):
        return "it came to the loopback address under another name"
    return None


def problem(status: int, detail: str) -> Response:
    """Return an error answer (RFC 9457, ``application/problem+json``)."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(orjson.dumps(body), status_code=status, media_type="application/problem+json")


def answer_errors_as_problems(app: FastAPI) -> None:
    """Have ``app`` answer every error as problem JSON with a detail for people, never with a traceback."""

    async def from_http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        answer = problem(error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    async def from_validation(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem(422, "; ".join(_finding(item) for item in error.errors()))

    async def from_anything(_request: Request, _error: Exception) -> Response:
        return problem(500, "this is a fault in slo_guard; its log says more")

    app.add_exception_handler(HTTPException, from_http)
    app.add_exception_handler(RequestValidationError, from_validation)
    app.add_exception_handler(Exception, from_anything)


def _finding(item: dict[str, Any]) -> str:
    place = " ".join(str(part) for part in item["loc"])
    return f"{place}: {item['msg']}"


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _place(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # such as http://[::1
        return None


def _is_local_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    return True
