"""Who the config lets in, as the server judges it: the hashes are read here, wherever they are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from slo_guard.config.server import ServerSettings
from slo_guard.errors import SecretError
from slo_guard.expose.access import AccessRules
from slo_guard.expose.credentials import Credentials
from slo_guard.fields import Secret
from slo_guard.passwords import PasswordHash, checked_digest

T = TypeVar("T")


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
