"""HTTPS with real certificates: who is trusted, what is spoken, and how a renewed one is taken up."""

from __future__ import annotations

import shutil
import socket
import ssl

import pytest
import requests

from slo_guard.certificates import Certificates
from slo_guard.expose.api import create_app
from slo_guard.expose.limits import ServerLimits
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.expose.server import HttpServer
from slo_guard.expose.tls import ServedCertificates
from tests.support.certificates import authority, signed
from tests.support.pictures import holding
from tests.support.serving import accepted


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def ca(folder):
    return authority(folder)


class Clock:
    """A stopwatch that a test moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def https(folder, ca):
    """Give a function that serves over TLS; all are stopped at the end."""
    servers = []

    def serve(certificates, *, clock=None, limits=None):
        served = ServedCertificates(certificates, clock or Clock())
        app = create_app(holding(None), OwnMetrics("1"), accepted)
        server = HttpServer(app, port=0, limits=limits, certificates=served)
        server.start()
        servers.append(server)
        return server.url, served

    yield serve
    for server in servers:
        server.stop()


def serial(url, ca):
    """Return the serial number of the certificate that a new connection is shown."""
    context = ssl.create_default_context(cafile=ca.cert)
    host, port = url.removeprefix("https://").split(":")
    with socket.create_connection((host, int(port))) as plain, context.wrap_socket(plain, server_hostname=host) as tls:
        return int(tls.getpeercert()["serialNumber"], 16)


def test_a_client_that_trusts_the_authority_is_served(folder, ca, https):
    """With the header that keeps browsers on HTTPS."""
    pair = signed(folder, ca, "plain")
    url, _ = https(Certificates(pair.cert, pair.key))

    answer = requests.get(f"{url}/-/healthy", verify=str(ca.cert), timeout=5)

    assert url.startswith("https://127.0.0.1:")
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(url, timeout=5)
    with pytest.raises(requests.ConnectionError):
        requests.get(url.replace("https", "http"), timeout=5)


def test_old_versions_are_refused(folder, ca, https):
    """1.2 by default; 1.3 where the config says so."""
    pair = signed(folder, ca, "modern")
    url, _ = https(Certificates(pair.cert, pair.key, min_version=ssl.TLSVersion.TLSv1_3))
    old = ssl.create_default_context(cafile=ca.cert)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    host, port = url.removeprefix("https://").split(":")

    with socket.create_connection((host, int(port))) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain, server_hostname=host)


def test_only_clients_of_the_named_authority_get_in(folder, ca, https):
    """And another authority's take its place at a reload, without a restart."""
    pair, client = signed(folder, ca, "server-of-clients"), signed(folder, ca, "client")
    other_ca = authority(folder, "other-ca")
    other = signed(folder, other_ca, "other-client")
    url, served = https(Certificates(pair.cert, pair.key, ca.cert))

    def gets_in(who):
        cert = None if who is None else (str(who.cert), str(who.key))
        try:
            return requests.get(f"{url}/-/healthy", verify=str(ca.cert), cert=cert, timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    before = [gets_in(client), gets_in(other), gets_in(None)]
    served.follow(Certificates(pair.cert, pair.key, other_ca.cert))

    assert before == [True, False, False]
    assert [gets_in(client), gets_in(other), gets_in(None)] == [False, True, False]


def test_renewed_files_are_served_without_a_restart(folder, ca, https):
    """Certbot and cert-manager replace files; they restart nothing."""
    first, second = signed(folder, ca, "first", serial=11), signed(folder, ca, "second", serial=22)
    cert, key = shutil.copy(first.cert, folder / "now.crt"), shutil.copy(first.key, folder / "now.key")
    clock = Clock()
    url, _ = https(Certificates(cert, key), clock=clock)
    seen = [serial(url, ca)]

    shutil.copy(second.cert, cert)
    clock.now += 6
    seen.append(serial(url, ca))  # the certificate is there, its key not yet
    shutil.copy(second.key, key)
    seen.append(serial(url, ca))  # not looked at again yet
    clock.now += 6
    seen.append(serial(url, ca))

    assert seen == [11, 11, 11, 22]


def test_files_that_are_wrong_change_nothing(folder, ca, https):
    """A reload with a mistake in it leaves what runs."""
    pair = signed(folder, ca, "kept", serial=33)
    url, served = https(Certificates(pair.cert, pair.key))

    with pytest.raises(ValueError, match="cannot be read"):
        served.follow(Certificates(folder / "missing.crt", pair.key))

    assert serial(url, ca) == 33


def test_a_handshake_that_is_never_begun_is_given_up(folder, ca, https):
    """Asyncio would wait for a minute, with a file handle each."""
    pair = signed(folder, ca, "slow")
    url, _ = https(Certificates(pair.cert, pair.key), limits=ServerLimits(head_seconds=0.3))
    host, port = url.removeprefix("https://").split(":")

    with socket.create_connection((host, int(port))) as client:
        client.settimeout(10)
        assert client.recv(1) == b""
