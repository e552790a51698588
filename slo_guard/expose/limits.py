"""What one client may take of the server, and the middleware that keeps bodies within it."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from slo_guard.expose.http_guard import problem

_BARE_HEADERS = (
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Connections at a time, sizes in bytes, and waits in seconds; ``linger_seconds``: for what nobody will read."""

    max_connections: int = 256
    max_head: int = 64 * 2**10
    max_body: int = 2**20
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    answer_seconds: float = 60.0
    idle_seconds: float = 75.0
    linger_seconds: float = 2.0


class RequestLimit:
    """ASGI middleware that refuses heads and bodies that are too large, and bodies of two lengths: unread, if it can.

    It answers 431, 413 and 400.
    """

    def __init__(self, app: ASGIApp, limits: ServerLimits) -> None:
        self._app = app
        self._limits = limits
        self._too_large = f"the body is larger than {limits.max_body} bytes, the most that is taken here"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body counted as it comes."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limits.max_body:
                raise HTTPException(413, self._too_large)
            return message

        await self._app(scope, counted, send)

    def _refusal(self, scope: Scope) -> Response | None:
        # The parser bounds only what it has to keep until the rest comes.
        head = len(scope["raw_path"]) + len(scope["query_string"])
        head += sum(len(name) + len(value) + 4 for name, value in scope["headers"])
        if head > self._limits.max_head:
            return bare_problem(431, f"the head is larger than {self._limits.max_head} bytes")
        headers = Headers(scope=scope)
        told = headers.get("content-length", "")
        if told and "transfer-encoding" in headers:
            # A proxy before us may go by the other one, and take for a body what would be a request here.
            refusal = bare_problem(400, "a request has either a Content-Length or a Transfer-Encoding, not both")
            refusal.headers["connection"] = "close"
            return refusal
        if told.isdigit() and int(told) > self._limits.max_body:
            return bare_problem(413, self._too_large)
        return None


def bare_problem(status: int, detail: str) -> Response:
    """Return an error answer for what passes none of the app's middleware, with headers that do for it."""
    answer = problem(status, detail)
    for name, value in _BARE_HEADERS:
        answer.headers[name] = value
    return answer
