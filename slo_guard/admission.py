"""What the config says of the server's doors, as the server takes it: hashes are read here, wherever they are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from slo_guard.config.server import ServerLimitOptions, ServerSettings
from slo_guard.errors import SecretError, StartError
from slo_guard.expose.access import AccessRules
from slo_guard.expose.credentials import Credentials
from slo_guard.expose.limits import ServerLimits
from slo_guard.expose.tls import ServedCertificates
from slo_guard.fields import Secret
from slo_guard.passwords import PasswordHash, checked_digest

T = TypeVar("T")


def server_limits(options: ServerLimitOptions) -> ServerLimits:
    """Return the limits that ``options`` describe."""
    return ServerLimits(
        max_connections=options.max_connections,
        max_head=options.max_head,
        max_body=options.max_body,
        head_seconds=options.head_timeout,
        body_seconds=options.body_timeout,
        answer_seconds=options.answer_timeout,
        idle_seconds=options.idle_timeout,
    )


def served_certificates(settings: ServerSettings) -> ServedCertificates | None:
    """Return what HTTPS is spoken with; None for HTTP. Raises ``StartError``."""
    if settings.tls is None:
        return None
    try:
        return ServedCertificates(settings.tls.certificates())
    except ValueError as error:
        raise StartError(f"server.tls: {error}") from None


def serve_instead(served: ServedCertificates | None, settings: ServerSettings) -> None:
    """Have ``served`` go on with the files of ``settings``; whether TLS is spoken stays. Raises ``StartError``."""
    if served is None or settings.tls is None:
        return
    try:
        served.follow(settings.tls.certificates())
    except ValueError as error:
        raise StartError(f"server.tls: {error}") from None


def access_rules(settings: ServerSettings) -> AccessRules:
    """Return the rules that ``settings`` describe; raises ``SecretError`` for a hash that is missing or is none."""
    host = urlsplit(settings.external_url).netloc.lower() if settings.external_url else None
    auth = settings.auth
    if auth is None:
        return AccessRules(external_host=host)
    credentials = Credentials(
        users={user.name: _kept(user.name, user.password_hash, PasswordHash.parse) for user in auth.users},
        tokens={token.name: _kept(token.name, token.sha256, checked_digest) for token in auth.tokens},
    )
    return AccessRules(credentials, reads_open=auth.reads == "open", external_host=host)


def _kept(name: str, stored: str | Secret, parse: Callable[[str], T]) -> T:
    text = stored.reveal() if isinstance(stored, Secret) else stored
    try:
        return parse(text)
    except ValueError as error:
        raise SecretError(f"server.auth: what is kept for {name!r} is {error}") from None
