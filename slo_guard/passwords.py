"""Passwords and tokens as they stand in a config: scrypt hashes of passwords, SHA-256 digests of random tokens.

scrypt (RFC 7914) comes with Python's OpenSSL: memory-hard without a further package. A token of 256 random bits
cannot be guessed from its digest, so it needs no slow function; a password can, so it does.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

TOKEN_PREFIX = "slog_"  # noqa: S105 - what tokens begin with, so that scanners of repositories know one
_LOG2_COST, _BLOCK_SIZE, _PARALLEL = 15, 8, 3
"""Of the settings that OWASP counts as equal the one with the least memory: 32 MiB for a third of a second."""

_LEAST_WORK = 2**14 * 8
_MOST_WORK = 2**18 * 8 * 4
_MOST_MEMORY_BYTES = 256 * 2**20
_PHC = re.compile(
    r"\$scrypt\$ln=(?P<ln>\d{1,2}),r=(?P<r>\d{1,3}),p=(?P<p>\d{1,3})\$(?P<salt>[\w+/.-]{11,88})\$(?P<key>[\w+/.-]{22,88})",
    re.ASCII,
)
_HOW = "make one with `slo-guard hash-password`"


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """scrypt's cost (``n`` = 2^log2_cost), its salt and what it gave; ``str`` is the PHC string format."""

    log2_cost: int
    block_size: int
    parallel: int
    salt: bytes = field(repr=False)
    key: bytes = field(repr=False)

    @classmethod
    def of(cls, password: str) -> PasswordHash:
        """Return a new hash of ``password``."""
        salt = secrets.token_bytes(16)
        key = _scrypt(password, salt, _LOG2_COST, _BLOCK_SIZE, _PARALLEL, 32)
        return cls(_LOG2_COST, _BLOCK_SIZE, _PARALLEL, salt, key)

    @classmethod
    def parse(cls, text: str) -> PasswordHash:
        """Return the hash that ``text`` writes; raises ``ValueError``, which does not repeat it."""
        found = _PHC.fullmatch(text)
        if found is None:
            raise ValueError(f"not a password hash such as $scrypt$ln=15,r=8,p=3$SALT$HASH; {_HOW}")
        cost, size, parallel = (int(found[name]) for name in ("ln", "r", "p"))
        work = 2**cost * size * parallel
        if work < _LEAST_WORK:
            raise ValueError(f"this hash is too cheap to guess passwords by (less than ln=14,r=8,p=1); {_HOW}")
        if work > _MOST_WORK or 128 * 2**cost * size > _MOST_MEMORY_BYTES:
            raise ValueError(f"this hash takes more memory or time than a server can spare; {_HOW}")
        try:
            return cls(cost, size, parallel, _unbase64(found["salt"]), _unbase64(found["key"]))
        except binascii.Error:
            raise ValueError(f"the hash was cut or changed when it was copied; {_HOW}") from None

    def matches(self, password: str) -> bool:
        """Whether ``password`` is the one; takes as long for a wrong one. May take a second: not for an event loop."""
        key = _scrypt(password, self.salt, self.log2_cost, self.block_size, self.parallel, len(self.key))
        return hmac.compare_digest(key, self.key)

    def decoy(self) -> PasswordHash:
        """Return a hash of the same cost that no password matches: an unknown user is to take as long."""
        return PasswordHash(self.log2_cost, self.block_size, self.parallel, b"decoy" * 4, secrets.token_bytes(32))

    def __str__(self) -> str:
        cost = f"ln={self.log2_cost},r={self.block_size},p={self.parallel}"
        return f"$scrypt${cost}${_base64(self.salt)}${_base64(self.key)}"


def new_token() -> str:
    """Return a new token of 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def token_digest(token: str) -> str:
    """Return what a config keeps of a token: its SHA-256 in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


def checked_digest(text: str) -> str:
    """Return a token's digest in lower case; raises ``ValueError``, which does not repeat it."""
    if re.fullmatch(r"[0-9A-Fa-f]{64}", text) is None:
        raise ValueError("not a SHA-256 in 64 hexadecimal digits; make a token with `slo-guard new-token`")
    return text.lower()


def _scrypt(password: str, salt: bytes, cost: int, size: int, parallel: int, length: int) -> bytes:
    memory = 128 * size * (2**cost + parallel + 2)
    return hashlib.scrypt(
        password.encode(), salt=salt, n=2**cost, r=size, p=parallel, maxmem=memory + 2**20, dklen=length
    )


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii").rstrip("=")


def _unbase64(text: str) -> bytes:
    # Other programs write "." for "+"; padding is left out.
    return base64.b64decode(text.replace(".", "+") + "=" * (-len(text) % 4), validate=True)
