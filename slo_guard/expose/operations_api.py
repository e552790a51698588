"""The routes by which the daemon is run: the metrics page, health, and reading the files again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from slo_guard.expose.metrics_page import Part
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.expose.routing import not_ready
from slo_guard.expose.snapshot import ReloadOutcome, SnapshotHolder

_TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
_CHUNK_BYTES = 1 << 20
_TEXT = {"text/plain": {"schema": {"type": "string"}}}
_REFUSED: dict[int | str, dict[str, Any]] = {400: {"description": "All errors of the files.", "content": _TEXT}}


def operations_router(holder: SnapshotHolder, own: OwnMetrics, reload: Callable[[], ReloadOutcome]) -> APIRouter:
    """Return the routes; ``reload`` may block."""
    router = APIRouter(tags=["operations"])

    @router.head("/metrics", include_in_schema=False)
    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics(request: Request) -> Response:
        """Return the metrics of the KPIs and of slo_guard itself, for Prometheus to scrape."""
        tail = own.render()
        packed = holder.gzip_page() if _takes_gzip(request.headers.get("accept-encoding", "")) else None
        headers = {"vary": "accept-encoding"}
        if packed is not None:
            headers["content-encoding"] = "gzip"
            return _ReadyBytes((packed.head, packed.tail(tail)), headers)
        current = holder.current
        return _ReadyBytes((*(current.metrics.parts if current else ()), tail), headers)

    @router.head("/-/healthy", include_in_schema=False)
    @router.get("/-/healthy", response_class=PlainTextResponse)
    async def healthy() -> str:
        """Answer 200 for as long as the process lives."""
        return "slo_guard is alive\n"

    @router.head("/-/ready", include_in_schema=False)
    @router.get("/-/ready", response_class=PlainTextResponse)
    async def ready() -> str:
        """Answer 200 once the first evaluation has finished, else 503 with the reason."""
        if holder.current is None:
            raise not_ready()
        return "slo_guard is ready\n"

    @router.put("/-/reload", operation_id="reload_files_by_put", response_class=PlainTextResponse, responses=_REFUSED)
    @router.post("/-/reload", response_class=PlainTextResponse, responses=_REFUSED)
    def reload_files() -> Response:
        """Read the config and rule files again; 400 with all findings, and what runs kept, when they are bad."""
        outcome = reload()
        return PlainTextResponse(outcome.message.rstrip("\n") + "\n", status_code=200 if outcome.ok else 400)

    return router


def _takes_gzip(accept_encoding: str) -> bool:
    for part in accept_encoding.lower().split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip() == "gzip":
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


class _ReadyBytes(Response):
    """A metrics answer of parts that exist already, sent in pieces: never copied whole for a scrape."""

    def __init__(self, parts: tuple[Part, ...], headers: dict[str, str]) -> None:
        self._parts = parts
        length = str(sum(map(len, parts)))
        super().__init__(headers={**headers, "content-type": _TEXT_FORMAT, "content-length": length})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send the answer at the pace of the reader."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        for part in self._parts if scope["method"] != "HEAD" else ():
            view = memoryview(part)
            for start in range(0, len(view), _CHUNK_BYTES):
                piece = view[start : start + _CHUNK_BYTES]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
