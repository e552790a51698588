"""What can be said of an HTTP peer in the config: time-outs, limits, TLS, authentication; and URLs fit for messages."""

from __future__ import annotations

import base64
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from slo_guard.fields import ByteCount, LocalPath, Options, Seconds, Secret

_SECRET_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie"})


def masked_url(url: str, *, show_path: bool = True) -> str:
    """Return ``url`` fit for messages: no user, password, query or fragment, and no path where that is secret."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "the URL"
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown}" + (f":{port}" if port else "")
    if show_path:
        return origin + parts.path
    return origin + ("/…" if parts.path.strip("/") else "")


def checked_url(url: str) -> str:
    """Return ``url`` if it is a usable http(s) URL without user and password; the ``ValueError`` does not show it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(character.isspace() for character in url):
        raise ValueError("not a usable URL; write one such as http://prometheus:9090")
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "a user or password may not stand in the URL; write http: {auth: {basic: {username, password}}}"
        )
    return url


def same_origin(one: str, other: str) -> bool:
    """Whether two usable URLs have the same scheme, host and port: what one is told, the other may be told."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


HttpUrl = Annotated[str, AfterValidator(checked_url)]
"""An http or https URL without user and password, for option models."""


class TlsOptions(Options):
    """How TLS peers are trusted, and the certificate that this side shows."""

    ca_file: LocalPath | None = Field(
        None, description="PEM file of the authorities to trust instead of the usual ones."
    )
    cert_file: LocalPath | None = Field(None, description="PEM file of the client certificate.")
    key_file: LocalPath | None = Field(
        None, description="PEM file of the client certificate's key, if not in cert_file."
    )
    verify: bool = Field(default=True, description="false trusts any certificate; for tests only.")

    @model_validator(mode="after")
    def _key_has_certificate(self) -> TlsOptions:
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file needs cert_file beside it")
        return self


class BasicAuth(Options):
    """User name and password."""

    username: str = Field(description="The user's name.")
    password: Secret = Field(description="Where the password is kept.")


class HeaderAuth(Options):
    """A secret in a header of its own, such as X-Api-Key."""

    name: str = Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", description="The header's name.")
    value: Secret = Field(description="Where its value is kept.")


class AuthOptions(Options):
    """Exactly one way to authenticate."""

    basic: BasicAuth | None = Field(None, description="User name and password.")
    bearer: Secret | None = Field(None, description="Where a bearer token is kept.")
    header: HeaderAuth | None = Field(None, description="A secret in a header of its own.")

    @model_validator(mode="after")
    def _one_way(self) -> AuthOptions:
        if sum(way is not None for way in (self.basic, self.bearer, self.header)) != 1:
            raise ValueError(
                "auth is exactly one of basic: {username, password}, bearer: SECRET, header: {name, value}"
            )
        return self

    def secrets(self) -> tuple[str, ...]:
        """Return every form in which a peer could send the secret back, the longest first. Raises ``SecretError``."""
        # A scheme before it, as in "Bearer …", is no secret, and stands in many an honest message.
        _, value = self.as_header()
        found = {(value.partition(" ")[2] or value).rstrip("=")}
        if self.basic is not None:
            found.add(self.basic.password.reveal())
        return tuple(sorted(found - {""}, key=len, reverse=True))

    def as_header(self) -> tuple[str, str]:
        """Return the header that authenticates, reading the secret now. Raises ``SecretError``."""
        if self.basic is not None:
            pair = f"{self.basic.username}:{self.basic.password.reveal()}"
            return "Authorization", "Basic " + base64.b64encode(pair.encode()).decode("ascii")
        if self.bearer is not None:
            return "Authorization", "Bearer " + self.bearer.reveal()
        assert self.header is not None
        return self.header.name, self.header.value.reveal()


class HttpOptions(Options):
    """Time-outs, limits, TLS and authentication of one peer."""

    connect_timeout: Seconds = Field(5.0, gt=0, description="Longest wait for a connection.")
    read_timeout: Seconds = Field(10.0, gt=0, description="Longest silence while an answer comes.")
    total_timeout: Seconds = Field(
        20.0, gt=0, description="Longest time for a request, retries and redirects included."
    )
    retries: int = Field(2, ge=0, le=10, description="Further attempts after a failed connection, 502, 503 or 504.")
    max_response: ByteCount = Field(10 * 2**20, description="Largest answer, after decompression.")
    tls: TlsOptions = Field(TlsOptions(), description="How the peer is trusted.")
    auth: AuthOptions | None = Field(None, description="How to authenticate: exactly one way.")
    headers: dict[str, str] = Field(default_factory=dict, description="Further headers; not for secrets.")

    @field_validator("headers")
    @classmethod
    def _no_secret_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if name.lower() in _SECRET_HEADERS:
                raise ValueError(
                    f"{name} would put a secret into the config; use auth: its secrets are in files or the environment"
                )
            if "\n" in value or "\r" in value or not value.isprintable():
                raise ValueError(f"the value of {name} holds a line break or another control character")
        return headers
