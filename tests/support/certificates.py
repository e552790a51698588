"""Certificates made for a test by openssl, as an operator would make them."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    cert: Path
    key: Path


def authority(folder: Path, name: str = "ca") -> Pair:
    """Return a certificate that may sign others."""
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    _openssl("req", "-x509", *_NEW_KEY, "-keyout", pair.key, "-out", pair.cert, "-days", "2", "-subj", f"/CN={name}")
    return pair


def signed(folder: Path, by: Pair, name: str = "server", *, days: int = 2, serial: int = 1) -> Pair:
    """Return a certificate for 127.0.0.1 and localhost, signed ``by`` an authority; ``days`` < 0: expired."""
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    _openssl("req", *_NEW_KEY, "-keyout", pair.key, "-out", request, "-subj", f"/CN={name}")
    _openssl(
        *("x509", "-req", "-in", request, "-CA", by.cert, "-CAkey", by.key, "-days", str(days)),
        *("-set_serial", str(serial), "-extfile", extensions, "-out", pair.cert),
    )
    return pair


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*arguments: str | Path) -> None:
    if shutil.which("openssl") is None:
        reason = "openssl is not installed (Debian: apt-get install openssl)"
        if os.environ.get("SLO_GUARD_REQUIRE_PEERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
