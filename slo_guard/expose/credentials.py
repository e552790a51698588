"""Who comes with a request: passwords and tokens compared in constant time, and guessing made slow."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from slo_guard.passwords import PasswordHash, token_digest

_REMEMBERED = 256
_LONGEST = 1024
"""Characters of an Authorization header; a longer one is not looked at."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Users by name with the hashes of their passwords, tokens by name with their SHA-256 in hexadecimal."""

    users: Mapping[str, PasswordHash] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)

    def challenges(self) -> tuple[str, ...]:
        """Return the values of ``WWW-Authenticate``: the ways that are open."""
        basic = ('Basic realm="slo_guard", charset="UTF-8"',) if self.users else ()
        return (*basic, *(('Bearer realm="slo_guard"',) if self.tokens else ()))


class Authenticator:
    """Tells who comes by the ``Authorization`` header.

    A password is worked through scrypt in a thread, two at a time, and remembered once found right: under a keyed
    hash, for as long as the credentials are these. A program that comes every few seconds costs one scrypt in all.
    """

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        # Whoever is unknown takes as long as the dearest of those who are known.
        dearest = max(credentials.users.values(), key=_cost, default=None)
        self._decoy = None if dearest is None else dearest.decoy()
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, str] = OrderedDict()

    def at_once(self, header: str) -> str | None:
        """Return the name behind a token, or behind a password that was found right before; None: not known yet."""
        if len(header) > _LONGEST:
            return None
        scheme, _, given = header.partition(" ")
        if scheme.lower() == "bearer":
            return self._of_token(given.strip())
        if scheme.lower() == "basic":
            return self._known.get(self._mark(header))
        return None

    async def by_password(self, header: str) -> str | None:
        """Return the name that comes with a right password; None for any other header."""
        pair = _user_and_password(header) if len(header) <= _LONGEST else None
        if pair is None or self._decoy is None:
            return None
        name, password = pair
        stored = self.credentials.users.get(name)
        matches = await asyncio.get_running_loop().run_in_executor(_KDF, (stored or self._decoy).matches, password)
        if stored is None or not matches:
            return None
        self._known[self._mark(header)] = name
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return name

    def _of_token(self, token: str) -> str | None:
        digest, found = token_digest(token), None
        for name, known in self.credentials.tokens.items():  # all of them: how many were tried is not to be seen
            if hmac.compare_digest(digest, known):
                found = name
        return found

    def _mark(self, header: str) -> bytes:
        return hmac.digest(self._key, header.encode(), hashlib.sha256)


_KDF = ThreadPoolExecutor(2, thread_name_prefix="password")


def _cost(stored: PasswordHash) -> int:
    return (1 << stored.log2_cost) * stored.block_size * stored.parallel


def _user_and_password(header: str) -> tuple[str, str] | None:
    scheme, _, given = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(given.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if colon else None
