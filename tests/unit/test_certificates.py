"""The server's certificate files: what is wrong with them is said at `check`, not by a browser on Monday."""

from __future__ import annotations

import pytest

from slo_guard.certificates import Certificates
from tests.support.certificates import authority, signed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def ca(folder):
    return authority(folder)


@pytest.fixture(scope="module")
def server(folder, ca):
    return signed(folder, ca)


def test_a_certificate_with_its_key_makes_a_context_without_warnings(server):
    """What an operator gets from an authority is taken as it is."""
    certificates = Certificates(server.cert, server.key)

    certificates.context()

    assert list(certificates.warnings()) == []


def test_each_mistake_is_named_with_its_file(folder, ca, server):
    """Whoever mixed up two files learns which."""
    other = signed(folder, ca, "other")
    rubbish, locked, missing = folder / "rubbish.pem", folder / "locked.key", folder / "missing.pem"
    rubbish.write_text("not a certificate\n")
    locked.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")

    def why(*files):
        with pytest.raises(ValueError) as caught:
            Certificates(*files).context()
        return str(caught.value)

    assert "missing.pem cannot be read: No such file" in why(missing, server.key)
    assert why(server.cert, other.key).startswith(f"the key in {other.key} is not that of the certificate")
    assert f"{rubbish} holds no private key" in why(server.cert, rubbish)
    assert f"{rubbish} holds no certificate" in why(rubbish, server.key)
    assert "has a password; write it without one" in why(server.cert, locked)
    assert f"{rubbish} holds no certificate" in why(server.cert, server.key, rubbish)
    assert "cannot be read: Is a directory" in why(folder, server.key)


def test_a_certificate_that_has_expired_is_a_warning(folder, ca):
    """The daemon guards on; that browsers refuse is said at every `check` and start."""
    old = signed(folder, ca, "old", days=-1)

    (warning,) = Certificates(old.cert, old.key).warnings()

    assert "clients will refuse" in warning
    assert "expired; renew it" in warning
