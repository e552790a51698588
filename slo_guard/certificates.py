"""The server's certificate files as a TLS context: checked when it is made, with an error that says which file."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PEM_LIMIT_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: the certificate with its chain, its key, and the authorities of clients where these are asked for."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that are read."""
        return (self.cert_file, self.key_file, *([self.client_ca_file] if self.client_ca_file else ()))

    def context(self) -> ssl.SSLContext:
        """Return a server's context over the files as they are now.

        Raises ``ValueError`` that names the file and what to do; it never shows what is in one.
        """
        for path in self.files:
            _see_that_it_can_be_read(path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self.min_version
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        context.set_alpn_protocols(["http/1.1"])
        try:
            # A password is never asked for on a terminal: a daemon would wait for it.
            context.load_cert_chain(self.cert_file, self.key_file, password=lambda: "")
        except ssl.SSLError as error:
            raise ValueError(self._why_no_pair(error)) from None
        if self.client_ca_file is not None:
            try:
                context.load_verify_locations(self.client_ca_file)
            except ssl.SSLError:
                raise ValueError(f"{self.client_ca_file} holds no certificate in PEM format") from None
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def warnings(self) -> Iterator[str]:
        """Yield why clients will not trust a certificate that can be used: expired, not yet valid, not a server's."""
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        # The certificate itself is trusted, so that nothing but its dates and its purpose is judged.
        client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        client.load_verify_locations(self.cert_file)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(self.cert_file, self.key_file, password=lambda: "")
        try:
            _shake_hands(client, server)
        except ssl.SSLCertVerificationError as error:
            yield f"clients will refuse the certificate in {self.cert_file}: {error.verify_message}; renew it"

    def _why_no_pair(self, error: ssl.SSLError) -> str:
        if "KEY_VALUES_MISMATCH" in (error.reason or ""):
            return f"the key in {self.key_file} is not that of the certificate in {self.cert_file}"
        if "BEGIN ENCRYPTED" in (key := _text(self.key_file)) or "Proc-Type: 4,ENCRYPTED" in key:
            return f"the key in {self.key_file} has a password; write it without one, readable by this user only"
        if "PRIVATE KEY-----" not in key:
            return f"{self.key_file} holds no private key in PEM format"
        if "BEGIN CERTIFICATE" not in _text(self.cert_file):
            return f"{self.cert_file} holds no certificate in PEM format"
        return f"{self.cert_file} and {self.key_file} cannot be used: {(error.reason or 'unknown').lower()}"


def _see_that_it_can_be_read(path: Path) -> None:
    try:
        with path.open("rb") as file:
            size = len(file.read(_PEM_LIMIT_BYTES + 1))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}") from None
    if size > _PEM_LIMIT_BYTES:
        raise ValueError(f"{path} is larger than 1 MiB; name a file of certificates in PEM format")


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii", errors="replace")


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Let the two meet in memory; raises what the client refuses."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_side=False),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            if end is ends[0]:
                return
