"""Light or dark: chosen by a link, kept in a cookie, without any script."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from slo_guard.expose.pages.chrome import Theme

_COOKIE = "slo_guard_theme"
_KEPT_SECONDS = 365 * 86400


def theme_of(request: Request) -> Theme:
    """Return what this reader has chosen."""
    return _theme(request.cookies.get(_COOKIE))


def theme_chosen(request: Request) -> Response | None:
    """Return the way back to the page without ``theme`` in its address, where one is chosen by that; else None."""
    name = request.query_params.get("theme")
    if name is None:
        return None
    query = {key: value for key, value in request.query_params.items() if key != "theme"}
    path = request.url.path + (f"?{urlencode(query)}" if query else "")
    answer, secure = RedirectResponse(path, HTTPStatus.SEE_OTHER), request.url.scheme == "https"
    theme = _theme(name)
    if theme is Theme.AUTO:
        answer.delete_cookie(_COOKIE, secure=secure, httponly=True, samesite="lax")
    else:
        answer.set_cookie(_COOKIE, theme.value, _KEPT_SECONDS, secure=secure, httponly=True, samesite="lax")
    return answer


def _theme(name: str | None) -> Theme:
    return next((theme for theme in Theme if theme.value == name), Theme.AUTO)
