"""Whether a request may come from a foreign web page: by its headers, and by the name that it was sent to."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.datastructures import Headers


def why_cross_site(headers: Headers, server: str | None, external_host: str | None = None) -> str | None:
    """Return why a write may come from a foreign web page; None when it does not.

    Browsers name themselves by ``Origin`` and ``Sec-Fetch-Site``; curl and scripts send neither and pass. A page
    whose own name was pointed at the loopback address (DNS rebinding) looks like the same origin, so there a
    browser must have asked for an address or for localhost. ``server``: the address that was connected to;
    ``external_host``: host and port under which people come, which a proxy may have replaced.
    """
    origin, fetch_site = headers.get("origin"), headers.get("sec-fetch-site")
    if fetch_site not in (None, "same-origin", "none"):
        return f"it was sent by a page of another site (Sec-Fetch-Site: {fetch_site[:20]})"
    if origin is None and fetch_site is None:
        return None
    host = headers.get("host", "")
    if origin is not None:
        place = _place(origin)
        if place is None or place not in (host.lower(), external_host):
            return "it was sent by a page of another origin than this server"
        if place == external_host:
            return None
    return why_misdirected(host, server, external_host)


def why_misdirected(host: str, server: str | None, external_host: str | None = None) -> str | None:
    """Return why ``host`` is no name of a server that was reached at the loopback address ``server``.

    Without this a page at evil.example, whose name is then pointed at 127.0.0.1, could read all that is served
    here. Elsewhere no name can be told from a wrong one.
    """
    if server is None or not is_loopback(server):
        return None
    if host.lower() == external_host or name_of(host) == socket.gethostname().lower() or _is_local_name(host):
        return None
    return "it came to the loopback address under another name than this server's"


def is_loopback(address: str) -> bool:
    """Whether ``address`` is this machine talking to itself."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address == "localhost"
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def name_of(host: str) -> str:
    """Return the name in a ``Host`` header, without its port; empty where it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _place(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # such as http://[::1
        return None


def _is_local_name(host: str) -> bool:
    name = name_of(host)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    return True
