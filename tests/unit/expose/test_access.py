"""Who may read and who may write: the doors of the HTTP server, tried from outside."""

from __future__ import annotations

import base64
import hashlib
import time
from contextlib import contextmanager

import pytest
import requests

from slo_guard.expose.access import AccessGate, AccessRules
from slo_guard.expose.api import create_app
from slo_guard.expose.credentials import Authenticator, Credentials
from slo_guard.expose.failures import FailureLimit
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.expose.server import HttpServer
from slo_guard.passwords import PasswordHash, token_digest
from tests.support.pictures import a_snapshot, holding
from tests.support.serving import accepted

TOKEN = "slog_C1K3LXPKPXHdg8rx5nOVpteTe1zP9EvmxKj6Vw8gr0I"
PASSWORD = "correct horse é"
SALT = b"0123456789abcdef"
HASHED = PasswordHash(14, 8, 1, SALT, hashlib.scrypt(PASSWORD.encode(), salt=SALT, n=2**14, r=8, p=1, dklen=32))
"""The least that a config may hold: these tests are not about the cost."""
CREDENTIALS = Credentials({"ada": HASHED}, {"ci": token_digest(TOKEN)})
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def basic(user, password):
    """Return the header of HTTP Basic, in UTF-8."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@contextmanager
def guarded(rules, stopwatch=time.monotonic):
    """Serve under rules; yields the base URL and the list of reloads."""
    reloads = []

    def reload():
        reloads.append(1)
        return accepted()

    app = create_app(holding(a_snapshot([])), OwnMetrics("1"), reload, gate=AccessGate(rules, stopwatch))
    server = HttpServer(app, port=0)
    server.start()
    try:
        yield server.url, reloads
    finally:
        server.stop()


@pytest.fixture(scope="module")
def url():
    """Serve with reads open and writes for ada and ci."""
    with guarded(AccessRules(CREDENTIALS)) as (base, _):
        yield base


@pytest.fixture(scope="module")
def closed():
    """Serve with reads closed as well."""
    with guarded(AccessRules(CREDENTIALS, reads_open=False)) as (base, _):
        yield base


def status(method, url, **headers):
    return requests.request(method, url, headers=headers, timeout=10).status_code


class TestWrites:
    """Whoever may write can silence an alert: that is worth a login."""

    @pytest.mark.parametrize("headers", [BEARER, basic("ada", PASSWORD), {"Authorization": f"bearer  {TOKEN}"}])
    def test_a_known_login_writes(self, url, headers):
        """By token or by name and password, the scheme in any case."""
        assert status("POST", f"{url}/-/reload", **headers) == 200

    @pytest.mark.parametrize(
        "given",
        [
            f"Bearer {TOKEN}x",
            "Bearer ",
            f"Token {TOKEN}",
            basic("ada", "wrong")["Authorization"],
            basic("eve", PASSWORD)["Authorization"],
            basic("ada", "")["Authorization"],
            "Basic",
            "Basic !!!",
            "Basic YWRh",
            "Basic /w==",
            f"Bearer {TOKEN}" + "x" * 5000,
        ],
    )
    def test_no_other_does(self, given):
        """A malformed header is a wrong login, never a fault."""
        with guarded(AccessRules(CREDENTIALS)) as (base, reloads):
            answer = requests.post(f"{base}/-/reload", headers={"Authorization": given}, timeout=10)

        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert "not known" in answer.json()["detail"]
        assert reloads == []

    def test_without_a_login_the_ways_to_log_in_are_named(self, url):
        """A browser asks its user, a program's author reads why."""
        answer = requests.post(f"{url}/-/reload", timeout=5)

        assert answer.status_code == 401
        assert (
            answer.headers["www-authenticate"] == 'Basic realm="slo_guard", charset="UTF-8", Bearer realm="slo_guard"'
        )
        assert "default-src 'none'" in answer.headers["content-security-policy"]

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
    def test_whatever_is_not_reading_needs_it(self, url, method):
        """A route that is added later is guarded without anybody thinking of it."""
        assert status(method, f"{url}/api/v1/anything") == 401
        assert status(method, f"{url}/-/healthy") == 401

    def test_a_foreign_web_page_cannot_use_the_login_that_a_browser_keeps(self, url):
        """Browsers send a password along for every page that asks."""
        assert status("POST", f"{url}/-/reload", Origin="https://evil.example", **basic("ada", PASSWORD)) == 403


class TestWithoutAuth:
    """`make run` must need no set-up, and still nobody else on the network may silence an alert."""

    def test_programs_on_this_machine_write(self):
        """A plain curl -X POST localhost:9469/-/reload works out of the box."""
        with guarded(AccessRules()) as (base, reloads):
            assert status("POST", f"{base}/-/reload") == 200
        assert reloads == [1]

    @pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
    def test_what_a_proxy_hands_on_is_refused(self, header):
        """Behind nginx on the same host the whole world comes from 127.0.0.1."""
        with guarded(AccessRules()) as (base, reloads):
            answer = requests.post(f"{base}/-/reload", headers={header: "203.0.113.7"}, timeout=5)
            assert requests.get(base, headers={header: "203.0.113.7"}, timeout=5).status_code == 200

        assert answer.status_code == 403
        assert "slo-guard new-token" in answer.json()["detail"]
        assert reloads == []

    def test_programs_elsewhere_are_refused(self):
        """The address that matters is the peer's, whatever the server listens on."""
        reloads = []
        app = create_app(holding(None), OwnMetrics("1"), lambda: reloads.append(1))

        assert asgi_status(app, "POST", "/-/reload", client=("203.0.113.7", 4711)) == 403
        assert asgi_status(app, "GET", "/-/healthy", client=("203.0.113.7", 4711)) == 200
        assert reloads == []


class TestReads:
    """Open as Prometheus's own are, unless somebody says otherwise."""

    @pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/kpis", "/api/v1/openapi.json", "/nowhere"])
    def test_reads_need_a_login_where_it_is_required(self, closed, path):
        """Pages, API and metrics alike; a path that is not there tells strangers nothing."""
        assert status("GET", closed + path) == 401
        assert status("HEAD", closed + path) == 401
        assert status("GET", closed + path, **BEARER) == (404 if path == "/nowhere" else 200)

    @pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
    def test_probes_never_need_one(self, closed, path):
        """A kubelet has no password, and a probe that fails restarts the daemon."""
        assert status("GET", closed + path) == 200

    @pytest.mark.parametrize("host", ["rebound.example", "rebound.example:80", "evil[", "localhost.evil.example"])
    def test_a_name_that_was_pointed_at_loopback_reads_nothing(self, host):
        """DNS rebinding: a page on the web would read the API through the browser on this machine."""
        with guarded(AccessRules(external_host="slo.example")) as (base, _):
            answer = requests.get(f"{base}/api/v1/kpis", headers={"Host": host}, timeout=5)
            for own in ("localhost", "127.0.0.1:1", "[::1]:9469", "slo.example", "SLO.example", "a.localhost"):
                assert status("GET", f"{base}/api/v1/kpis", Host=own) == 200
            assert status("GET", f"{base}/-/healthy", Host=host) == 200

        assert answer.status_code == 421
        assert "server.external_url" in answer.json()["detail"]

    def test_the_external_url_is_an_origin_of_ours(self):
        """A proxy replaces the Host header; the browser's Origin stays what people typed."""
        with guarded(AccessRules(CREDENTIALS, external_host="slo.example")) as (base, _):
            headers = {"Origin": "https://slo.example", "Sec-Fetch-Site": "same-origin", **BEARER}
            assert status("POST", f"{base}/-/reload", **headers) == 200
            assert status("POST", f"{base}/-/reload", **{**headers, "Origin": "https://other.example"}) == 403


class TestGuessing:
    """Ten wrong logins at once from an address, then one in six seconds."""

    def test_the_eleventh_guess_has_to_wait_and_a_token_has_not(self):
        """A scraper behind the same address goes on while somebody guesses."""
        now = [1000.0]
        with guarded(AccessRules(CREDENTIALS), lambda: now[0]) as (base, _):
            for guess in range(10):
                assert status("POST", f"{base}/-/reload", Authorization=f"Bearer {guess}") == 401
            refused = requests.post(f"{base}/-/reload", headers=basic("ada", PASSWORD), timeout=5)
            token = status("POST", f"{base}/-/reload", **BEARER)
            now[0] += int(refused.headers["retry-after"])
            later = status("POST", f"{base}/-/reload", **basic("ada", PASSWORD))

        assert (refused.status_code, token, later) == (429, 200, 200)
        assert refused.headers["retry-after"] == "6"

    def test_a_right_password_does_not_use_up_a_try(self):
        """Whoever mistypes and then succeeds may mistype again."""
        with guarded(AccessRules(CREDENTIALS), lambda: 1000.0) as (base, _):
            for guess in range(9):
                assert status("POST", f"{base}/-/reload", Authorization=f"Bearer {guess}") == 401
            assert status("POST", f"{base}/-/reload", **basic("ada", PASSWORD)) == 200
            assert status("POST", f"{base}/-/reload", Authorization="Bearer wrong") == 401

    def test_right_logins_are_not_counted(self):
        """Or a busy team would lock itself out."""
        limit = FailureLimit(lambda: 0.0)

        for _ in range(100):
            assert limit.charge("192.0.2.1") is None
            limit.give_back("192.0.2.1")

    def test_tries_under_way_count(self):
        """Hundreds at the same time would else all be judged before the first has failed."""
        limit = FailureLimit(lambda: 0.0)

        allowed = [limit.charge("192.0.2.1") for _ in range(12)]

        assert allowed == [None] * 10 + [6, 6]
        assert limit.charge("192.0.2.2") is None

    def test_an_ipv6_network_is_one_address(self):
        """Its owner has 2^64 of them."""
        limit = FailureLimit(lambda: 0.0)

        for number in range(10):
            limit.charge(f"2001:db8::{number:x}")

        assert limit.charge("2001:db8::ffff") == 6
        assert limit.charge("2001:db8:0:1::1") is None

    def test_memory_is_bounded(self):
        """A million addresses must not fill it."""
        limit = FailureLimit(lambda: 0.0)

        for number in range(5000):
            limit.charge(f"10.0.{number // 256}.{number % 256}")

        assert len(limit._spent) == 4096


class TestPasswords:
    """scrypt is slow on purpose: for who guesses, not for who scrapes."""

    def test_a_password_is_worked_through_once(self, monkeypatch):
        """Prometheus with basic_auth comes every 15 seconds."""
        worked = []
        monkeypatch.setattr(PasswordHash, "matches", lambda _self, given: worked.append(given) or given == PASSWORD)
        with guarded(AccessRules(CREDENTIALS)) as (base, _):
            for _ in range(3):
                assert status("POST", f"{base}/-/reload", **basic("ada", PASSWORD)) == 200
            assert status("POST", f"{base}/-/reload", **basic("ada", "wrong")) == 401
            assert status("POST", f"{base}/-/reload", **basic("eve", PASSWORD)) == 401

        assert worked == [PASSWORD, "wrong", PASSWORD]

    def test_other_rules_forget_what_was_remembered(self):
        """Who is taken out of the config is out at the reload."""
        gate = AccessGate(AccessRules(CREDENTIALS))
        app = create_app(holding(None), OwnMetrics("1"), accepted, gate=gate)
        header = basic("ada", PASSWORD)
        before = asgi_status(app, "POST", "/-/reload", headers=header)

        gate.follow(AccessRules(Credentials({"ada": HASHED.decoy()})))

        assert (before, asgi_status(app, "POST", "/-/reload", headers=header)) == (200, 401)

    def test_what_is_remembered_is_no_password(self):
        """A core dump shows a keyed hash."""
        authenticator = Authenticator(CREDENTIALS)
        run(authenticator.by_password(basic("ada", PASSWORD)["Authorization"]))

        assert list(authenticator._known.values()) == ["ada"]
        assert all(len(mark) == 32 for mark in authenticator._known)


def run(coroutine):
    import asyncio

    return asyncio.run(coroutine)


def asgi_status(app, method, path, *, client=("127.0.0.1", 4711), headers=()):
    """Return the status of a request that comes from ``client``."""
    sent = []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"slo.example"), *((k.lower().encode(), v.encode()) for k, v in dict(headers).items())],
        "client": client,
        "server": ("198.51.100.1", 9469),
        "scheme": "http",
        "http_version": "1.1",
    }

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    run(app(scope, receive, send))
    return sent[0]["status"]
