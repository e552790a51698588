"""The interactive documentation of the API at ``/docs``: Swagger UI, served from here, so that it works without a net.

Its files come with the package fastapi-offline, which is rebuilt with each release of Swagger UI. The policy that all
pages have is enough for it: scripts and style of this server, none of it inline, and pictures within its style.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from fastapi import APIRouter, HTTPException, Response

_TYPES: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "docs.js": "text/javascript",
}
_KEPT_SECONDS = 3600


def docs_router() -> APIRouter:
    """Return the routes of the page and of its files, each read once when it is first asked for."""
    router = APIRouter(include_in_schema=False)
    kept: dict[str, bytes] = {}

    @router.get("/docs")
    def docs() -> Response:
        page = kept.setdefault("", (files("slo_guard.expose") / "static" / "docs.html").read_bytes())
        return Response(page, media_type="text/html")

    @router.get("/docs/{name}")
    def docs_file(name: str) -> Response:
        if name not in _TYPES:
            raise HTTPException(404, f"there is no {name!r} here; the documentation is at /docs")
        if name not in kept:
            home = "slo_guard.expose" if name == "docs.js" else "fastapi_offline"
            kept[name] = (files(home) / "static" / name).read_bytes()
        headers = {"cache-control": f"public, max-age={_KEPT_SECONDS}"}
        return Response(kept[name], media_type=_TYPES[name], headers=headers)

    return router
