"""The ``heartbeat`` section: whom to tell, again and again, that slo_guard judges and delivers."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from slo_guard.fields import Options, Seconds, Secret
from slo_guard.http_options import HttpOptions, checked_url

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _secret_unless_local(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if urlsplit(checked_url(value)).hostname not in _LOOPBACK:
        raise ValueError(
            "whoever knows a heartbeat's URL can keep it beating; keep it elsewhere: {env: NAME} or {file: PATH}"
        )
    return value


class HeartbeatSettings(Options):
    """A dead man's switch: a URL that is asked for while all is alive; what watches it raises the alarm."""

    url: Annotated[str | Secret, BeforeValidator(_secret_unless_local)] = Field(
        description="Where the URL is kept, {env: NAME} or {file: PATH}; a plain URL on loopback only."
    )
    interval: Seconds = Field(60.0, ge=1.0, description="How often it is asked for, such as 1m.")
    method: Literal["GET", "POST"] = Field("GET", description="How it is asked for: GET or POST.")
    stalled_after: Seconds = Field(
        120.0,
        ge=1.0,
        description="How long evaluation, storing or delivery may stand still before it goes quiet; at least three "
        "evaluation intervals.",
    )
    undelivered_after: Seconds = Field(
        1800.0, description="How long a message may wait for its receiver before it goes quiet; 0s: for ever."
    )
    http: HttpOptions = Field(HttpOptions(), description="Time-outs, TLS, authentication and further headers.")
