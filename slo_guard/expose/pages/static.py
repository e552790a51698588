"""What pages are styled and refreshed by, from our own address: named by its content, so that browsers may keep it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from fastapi import Response

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
_KEPT = "private, max-age=31536000, immutable"
_ASKED_AGAIN = "private, no-cache"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file; ``digest`` changes with its content."""

    name: str
    content: bytes
    digest: str

    @classmethod
    def load(cls, name: str) -> StaticFile:
        """Read a file that comes with the package."""
        content = (files("slo_guard.expose") / "templates" / name).read_bytes()
        return cls(name, content, hashlib.sha256(content).hexdigest()[:16])

    @property
    def path(self) -> str:
        """Where pages find this version of it."""
        return f"/static/{self.name}?v={self.digest}"

    def answer(self, version: str | None, known: str | None) -> Response:
        """Return it, or 304 where the reader has it; ``known`` is the request's If-None-Match."""
        # An old page that asks for an old version gets the present one, and may not keep it under the old name.
        headers = {"etag": f'"{self.digest}"', "cache-control": _KEPT if version == self.digest else _ASKED_AGAIN}
        if known is not None and f'"{self.digest}"' in known:
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=_TYPES[self.name.rpartition(".")[2]], headers=headers)
