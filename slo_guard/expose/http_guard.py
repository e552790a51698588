"""What every HTTP answer obeys: security headers, and errors as problem JSON."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeAlias

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from slo_guard.errors import StoreError

_UNUSED_FEATURES = ("camera", "display-capture", "geolocation", "microphone", "midi", "payment", "usb")
# Pages have nothing inline: their style and script come from /static, and refresh by asking for themselves.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ALWAYS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", ", ".join(f"{feature}=()" for feature in _UNUSED_FEATURES).encode()),
    (b"cache-control", b"no-store"),
)
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000")
"""For a year browsers come by HTTPS only; not for subdomains, which are not ours to decide about."""
RETRY_SECONDS = 5
"""After how long what cannot be answered now may be asked again."""
_ERROR_TYPES = {400: "bad_data", 404: "not_found", 500: "internal", 503: "unavailable"}
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


ErrorPage: TypeAlias = Callable[[Request, int, str], Response | None]


class SecurityHeaders:
    """ASGI middleware that adds headers to every answer, keeping those that the answer has."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers to its answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                added = (header for header in _headers(scope) if header[0] not in present)
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _headers(scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
    return (*_ALWAYS, _HTTPS_ONLY) if scope.get("scheme") == "https" else _ALWAYS


def problem(status: int, detail: str) -> Response:
    """Return an error answer (RFC 9457, ``application/problem+json``)."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(orjson.dumps(body), status_code=status, media_type="application/problem+json")


def prometheus_error(status: int, detail: str) -> Response:
    """Return an error answer in Prometheus's shape, which its clients read; a bad request is 400 to them, not 422."""
    status = 400 if status == HTTPStatus.UNPROCESSABLE_ENTITY else status
    body = {"status": "error", "errorType": _ERROR_TYPES.get(status, "execution"), "error": detail}
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")


def answer_errors_as_problems(app: FastAPI, page: ErrorPage = lambda _request, _status, _detail: None) -> None:
    """Have ``app`` answer every error as problem JSON with a detail for people, never with a traceback.

    Below ``/prometheus/`` errors have Prometheus's shape; ``page`` may answer one instead, where a person looks.
    """

    async def from_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status, detail, headers = error.status_code, str(error.detail), dict(error.headers or {})
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_methods(app, request))
            detail = f"{request.method[:10]} is not answered here; {headers['Allow']} is"
        elif status == HTTPStatus.NOT_FOUND and detail == HTTPStatus.NOT_FOUND.phrase:
            detail = "there is nothing at this path; /docs lists what there is"
        answer = page(request, status, detail) or _answer(request, status, detail)
        answer.headers.update(headers)
        return answer

    async def from_store(request: Request, error: Exception) -> Response:
        answer = _answer(request, 503, str(error))
        answer.headers["retry-after"] = str(RETRY_SECONDS)
        return answer

    async def from_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _answer(request, 422, "; ".join(_finding(item) for item in error.errors()))

    async def from_anything(request: Request, _error: Exception) -> Response:
        answer = _answer(request, 500, "this is a fault in slo_guard; its log says more")
        # The framework answers this one outside of all middleware.
        answer.raw_headers.extend(_headers(request.scope))
        return answer

    app.add_exception_handler(HTTPException, from_http)
    app.add_exception_handler(StoreError, from_store)
    app.add_exception_handler(RequestValidationError, from_validation)
    app.add_exception_handler(Exception, from_anything)


def _answer(request: Request, status: int, detail: str) -> Response:
    shape = prometheus_error if request.url.path.startswith("/prometheus/") else problem
    return shape(status, detail)


def _methods(app: FastAPI, request: Request) -> list[str]:
    """Return every method that the path of ``request`` takes; the framework names those of one route only."""
    asked = ({**request.scope, "method": method} for method in _METHODS)
    return [each["method"] for each in asked if any(route.matches(each)[0] is Match.FULL for route in app.routes)]


def _finding(item: dict[str, Any]) -> str:
    place = " ".join(str(part) for part in item["loc"])
    return f"{place}: {item['msg']}"
