"""What can be said of the HTTP server: where it listens, who may ask and write, TLS, and limits."""

from __future__ import annotations

import ssl
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from slo_guard.certificates import Certificates
from slo_guard.fields import ByteCount, LocalPath, Options, Seconds, Secret
from slo_guard.http_options import HttpUrl
from slo_guard.passwords import PasswordHash, checked_digest


def _port(given: Any) -> Any:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= 65535:
        raise ValueError("write a port from 1 to 65535, or 0 for any free one")
    return given


def _host(given: str) -> str:
    if not given.isascii() or not given.isprintable() or " " in given:
        raise ValueError("write an address or host name of this machine such as 127.0.0.1")
    return given


def _password_hash(given: str) -> str:
    return str(PasswordHash.parse(given))


PrincipalName = Annotated[str, Field(pattern=r"^[^\s:]{1,64}$")]


class UserOptions(Options):
    """A person or program that authenticates by name and password (HTTP Basic)."""

    name: PrincipalName = Field(description="The user's name, without spaces and colons.")
    password_hash: Annotated[str, AfterValidator(_password_hash)] | Secret = Field(
        description="What `slo-guard hash-password` prints, or {env: NAME} or {file: PATH} where that is kept."
    )

    @field_validator("password_hash", mode="wrap")
    @classmethod
    def _either(cls, given: Any, handler: Any) -> Any:
        # A union would add what a Secret says of a plain text to what is wrong with the hash.
        return _password_hash(given) if isinstance(given, str) else handler(given)


class TokenOptions(Options):
    """A program that authenticates by a bearer token."""

    name: PrincipalName = Field(description="Whose token it is, for the log.")
    sha256: Annotated[str, AfterValidator(checked_digest)] | Secret = Field(
        description="What `slo-guard new-token` prints, or {env: NAME} or {file: PATH} where that is kept."
    )

    @field_validator("sha256", mode="wrap")
    @classmethod
    def _either(cls, given: Any, handler: Any) -> Any:
        return checked_digest(given) if isinstance(given, str) else handler(given)


class ServerAuthOptions(Options):
    """Who may write, and whether reading needs it too."""

    users: list[UserOptions] = Field(default_factory=list, description="Those who come with name and password.")
    tokens: list[TokenOptions] = Field(default_factory=list, description="Those who come with a bearer token.")
    reads: Literal["open", "required"] = Field(
        default="open", description="required: reading needs it too, /-/healthy and /-/ready excepted."
    )

    @model_validator(mode="after")
    def _somebody_and_each_once(self) -> ServerAuthOptions:
        names = [*(user.name for user in self.users), *(token.name for token in self.tokens)]
        if not names:
            raise ValueError("auth names nobody; write users: or tokens:, or leave auth out")
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"the name {twice!r} stands here twice; the log would not tell the two apart")
        return self


class ServerTlsOptions(Options):
    """The certificate that the server shows, and those that it asks for."""

    cert_file: LocalPath = Field(description="PEM file of the certificate, followed by those that vouch for it.")
    key_file: LocalPath = Field(description="PEM file of its key, without a password.")
    client_ca_file: LocalPath | None = Field(
        None, description="PEM file of the authorities whose client certificates are asked for; nobody else gets in."
    )
    min_version: Literal["1.2", "1.3"] = Field(default="1.2", description="Oldest version of TLS that is spoken.")

    @field_validator("min_version", mode="before")
    @classmethod
    def _number_too(cls, given: Any) -> Any:
        return str(given) if isinstance(given, float) else given  # YAML reads 1.3 as a number

    @model_validator(mode="after")
    def _usable(self) -> ServerTlsOptions:
        self.certificates().context()
        return self

    def certificates(self) -> Certificates:
        """Return the files as what makes a server's context."""
        versions = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
        return Certificates(self.cert_file, self.key_file, self.client_ca_file, versions[self.min_version])


class ServerLimitOptions(Options):
    """What one client may take of the server; beyond it the connection is closed or the request refused."""

    max_connections: int = Field(256, ge=8, le=10_000, description="Connections at a time; further ones get a 503.")
    max_head: ByteCount = Field(64 * 2**10, ge=2**12, le=2**20, description="Largest request line with headers.")
    max_body: ByteCount = Field(2**20, description="Largest request body; larger ones get a 413, unread.")
    head_timeout: Seconds = Field(10.0, gt=0, description="Longest wait for the head of a request to be complete.")
    body_timeout: Seconds = Field(30.0, gt=0, description="Longest wait for its body.")
    answer_timeout: Seconds = Field(60.0, gt=0, description="Longest time until its answer has been taken in.")
    idle_timeout: Seconds = Field(75.0, gt=0, description="How long a connection without a request is kept open.")


class ServerSettings(Options):
    """Where /metrics, the API and the page are served."""

    host: Annotated[str, Field(min_length=1), AfterValidator(_host)] = Field(
        default="127.0.0.1", description="Address to listen on; loopback only unless you choose another."
    )
    port: Annotated[int, BeforeValidator(_port)] = Field(
        default=9469, description="Port to listen on; 0 takes any free one."
    )
    external_url: HttpUrl | None = Field(
        None, description="Where people reach the page; messages link there. Without it they have no such link."
    )
    auth: ServerAuthOptions | None = Field(
        None, description="Who may write; without it only programs on this machine may."
    )
    tls: ServerTlsOptions | None = Field(None, description="Serve HTTPS with this certificate.")
    limits: ServerLimitOptions = Field(default=ServerLimitOptions(), description="What one client may take.")
